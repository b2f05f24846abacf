"""A second copy of a backbone: for the teacher, for an export, and for fine-tuning."""

import keras


def clone_backbone(backbone, change=None):
    """Builds a backbone once more and copies its weights; the two share no variable.

    `keras.models.clone_model` fails on some models from elsewhere (keras_hub's ViT), and Keras
    rebuilds only classes that are registered. Here the layers' classes are taken from the backbone
    itself, so that they need not be.

    Args:
        backbone: Built `keras.Model` whose `from_config` rebuilds it from `get_config`.
        change: Function of that configuration, of which the copy is made; None for no change.

    Returns:
        Model of the same class, name and weights. States of dropout are not copied: they begin
        with their seeds.
    """
    layers = backbone._flatten_layers(include_self=True, recursive=True)
    # Keras finds its own classes; one of the same name must not take the place of a user's.
    classes = {type(layer) for layer in layers if not type(layer).__module__.startswith("keras.")}
    with keras.saving.CustomObjectScope({keras.saving.get_registered_name(c): c for c in classes}):
        config = backbone.get_config()
        clone = type(backbone).from_config(config if change is None else change(config))
    clone.set_weights(backbone.get_weights())
    return clone


def trainable_clone(backbone, twin):
    """Copies a backbone into the state that fine-tuning wants; the original is left alone.

    The copy is of one device, outside of a strategy's scope, and unfrozen, since a frozen
    BatchNormalization would ignore `training=True`.

    Args:
        backbone: The backbone whose weights are copied, such as a teacher.
        twin: The one whose configuration is: a teacher's dropout and drop path are switched off,
            its student's aren't.
    """
    copy = clone_backbone(twin)
    copy.set_weights(backbone.get_weights())
    copy.trainable = True
    return copy
