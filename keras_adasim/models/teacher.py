"""What a momentum teacher is made of."""

import keras

from keras_adasim.backbones.clone import clone_backbone


def make_teacher(backbone):
    """Clones a backbone, weights included, and switches its dropout and drop path off.

    The clone stays trainable as far as Keras is concerned: a BatchNormalization whose `trainable`
    is false ignores `training=True`, and the teacher's must run in training mode.
    """
    teacher = clone_backbone(backbone)
    for layer in all_layers(teacher):
        if "Drop" in type(layer).__name__ and hasattr(layer, "rate"):
            layer.rate = 0.0
    return teacher


def freeze_patch_embedding(backbone):
    """Leaves the patch embedding of a transformer as it is; other backbones have none."""
    layer = getattr(backbone, "patch_embedding", None)
    if layer is not None:
        layer.trainable = False


def all_layers(module):
    """The layer itself and every layer below it, each once."""
    return list(module._flatten_layers(include_self=True, recursive=True))


def has_batch_normalization(module):
    """Whether a layer contains BatchNormalization at any depth."""
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in all_layers(module))


def parameter_pairs(networks):
    """Returns two aligned lists of parameters, the students' and the teachers' that follow them.

    Parameters only: the moving statistics of a BatchNormalization and the seeds of dropout are
    each network's own. `weights` leaves the seeds out, `trainable` the statistics, and what is
    frozen in the student.

    Args:
        networks: List of (student, teacher), the backbones and their heads; a teacher that is None
            or the student itself follows nobody.
    """
    pairs = [
        (s, t)
        for student, teacher in networks
        if teacher is not None and teacher is not student
        for s, t in zip(student.weights, teacher.weights, strict=True)
        if s.trainable and s is not t
    ]
    return [s for s, _ in pairs], [t for _, t in pairs]
