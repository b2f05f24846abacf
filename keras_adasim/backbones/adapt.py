"""Makes a backbone of any Keras model of images."""

import keras
from absl import logging

from keras_adasim.backbones.adapted_backbone import AdaptedBackbone
from keras_adasim.backbones.hub_positions import with_own_positions
from keras_adasim.validation import check_integer

HEADS = (keras.layers.Dense, keras.layers.Activation, keras.layers.Softmax)


def adapt(keras_model, image_size=None, num_prefix_tokens=None, name=None, mean=None, std=None):
    """Makes a backbone of a keras.applications or KerasHub model, or one of your own.

    Features are the average of the last map, or the class token, or whatever the model pools;
    `AdaptedBackbone` has the rules. The weights are shared with `keras_model`, whose batch
    normalization becomes synchronized over replicas. Only a KerasHub DINOv2 whose position
    embeddings are for another size is copied, as files would not keep what it learns.

    A model that was built for one size of images refuses others. Images arrive normalized (mean
    0, standard deviation 1); if the model itself scales them, a warning says what to do.

    Args:
        keras_model: Functional `keras.Model` with one input (B, H, W, C) and no classifier.
        image_size: Side in pixels of the images it is meant for: the model's own if that is
            fixed, else 224 by default.
        num_prefix_tokens: Class and register tokens at the start of the sequences of a vision
            transformer; found out by default.
        name: Name of the backbone.
        mean: C means that its images were normalized with, on the scale from 0 to 1, if known.
        std: C standard deviations, likewise.

    Returns:
        `AdaptedBackbone`.

    Raises:
        ValueError: If the model has a classifier, or its input or output isn't understood.

    Example:
        ```python
        model = keras.applications.MobileNetV2(
            alpha=0.35, include_top=False, weights=None, input_shape=(None, None, 3)
        )
        backbone = ka.backbones.adapt(model)
        features = backbone(np.zeros((2, 64, 64, 3), "float32"))["features"]  # (2, 1280)
        ```
    """
    _check_functional(keras_model)
    _check_no_top(keras_model)
    image_size = _image_size(keras_model, image_size)
    keras_model = with_own_positions(keras_model)
    backbone = AdaptedBackbone(
        keras_model, image_size, _num_prefix_tokens(keras_model, num_prefix_tokens), mean, std, name
    )
    if backbone.preprocessing_layers:
        logging.warning(
            "%s scales or normalizes images itself (%s), and keras_adasim normalizes them before. "
            "Build it without (`include_preprocessing=False`, where it has that argument), or let "
            "the augmentation give what it expects, such as `mean=(0, 0, 0), std=(1 / 255,) * 3` "
            "for values from 0 to 255.",
            keras_model.name,
            ", ".join(backbone.preprocessing_layers),
        )
    return backbone


def _check_functional(model):
    inputs = getattr(model, "inputs", None)
    if not isinstance(model, keras.Model) or not inputs:
        raise ValueError(
            "Expected `keras_model` to be a functional `keras.Model`. Received: "
            f"{type(model).__name__}. Wrap it: `images = keras.Input((224, 224, 3))`, "
            "`adapt(keras.Model(images, model(images)))`."
        )
    shapes = [tuple(tensor.shape) for tensor in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] is None:
        raise ValueError(
            "Expected `keras_model` with one input (B, H, W, C) of a known number of channels, "
            f"the channels last. Received: inputs of shapes {shapes}"
        )


def _check_no_top(model):
    # In the order of the graph; a `Sequential` knows its layers only.
    last = (getattr(model, "operations", None) or model.layers)[-1]
    if len(model.outputs) == 1 and len(model.outputs[0].shape) == 2 and isinstance(last, HEADS):
        raise ValueError(
            "Expected `keras_model` without a classifier. Received: a model that ends in the layer "
            f"{last.name!r} ({type(last).__name__}). Build it with `include_top=False` "
            "(keras.applications), pass the task's `.backbone` (KerasHub), or cut it: "
            "`keras.Model(model.input, model.layers[-2].output)`."
        )


def _image_size(model, image_size):
    """The side of the images: the model's own, if it is fixed."""
    height, width = model.inputs[0].shape[1:3]
    if height != width:
        raise ValueError(
            "Expected `keras_model` for square images, or for any size. Received: a model for "
            f"{height} x {width} pixels"
        )
    if image_size is not None:
        check_integer("image_size", image_size)
    if height and image_size not in (None, height):
        raise ValueError(
            f"Expected `image_size` to be {height}, the only size that {model.name} was built for. "
            f"Received: image_size={image_size}. Leave it out, or build the model for that size."
        )
    return height or image_size or 224


def _num_prefix_tokens(model, num_prefix_tokens):
    """The number given, or what KerasHub's DINOv2 and DINOv3 know of themselves."""
    if num_prefix_tokens is not None:
        return check_integer("num_prefix_tokens", num_prefix_tokens, minimum=0)
    registers = getattr(model, "num_register_tokens", None)
    return None if registers is None else 1 + registers
