"""A classifier of layers that Keras knows by itself."""

import keras
import numpy as np
from keras import ops

from keras_adasim.backbones.adapted_backbone import AdaptedBackbone, features_and_tokens
from keras_adasim.backbones.hub_positions import keep_positions
from keras_adasim.layers.preprocessing import LARGEST_FLOAT
from keras_adasim.validation import check_has


def can_be_plain(classifier):
    """Whether nothing of a classifier is ours but what Keras' own layers can stand in for.

    Args:
        classifier: `ImageClassifier`.
    """
    check_has("classifier", classifier, "an `ImageClassifier`", "backbone", "value_range", "head")
    return isinstance(classifier.backbone, AdaptedBackbone) and classifier.value_range is None


def plain_classifier(classifier):
    """Makes the same of Keras' own layers, around a model of KerasHub or keras.applications.

    Its file loads without `import keras_adasim`. Weights are shared. Since Keras hands a functional
    model all images as floats, the scale is told by the values: an image with none above 1 is on
    the scale from 0 to 1, any other on that from 0 to 255.

    Args:
        classifier: `ImageClassifier` with an adapted backbone, and no `value_range`.

    Returns:
        Functional `keras.Model` from images (B, H, W, C) of any size to logits.

    Raises:
        ValueError: If there is a `value_range`, or the backbone is one of ours.

    Example:
        ```python
        model = keras.applications.MobileNetV2(
            alpha=0.35, include_top=False, weights=None, input_shape=(32, 32, 3)
        )
        classifier = ka.export.ImageClassifier(
            ka.backbones.adapt(model), ["cat", "dog"], 32, mean=(0.5,) * 3, std=(0.25,) * 3
        )
        logits = ka.export.plain_classifier(classifier)(np.zeros((4, 40, 50, 3)))  # (4, 2)
        ```
    """
    if not can_be_plain(classifier):
        raise ValueError(
            "Expected `classifier` with a backbone that `adapt` made, and without a `value_range`. "
            f"Received: {type(classifier.backbone).__name__}, "
            f"value_range={classifier.value_range}. Save the classifier itself."
        )
    adapted, size = classifier.backbone, classifier.image_size
    keep_positions(adapted.backbone)
    images = keras.Input((None, None, adapted.channels), name="images")
    largest = ops.max(images, axis=(1, 2, 3), keepdims=True)
    pixels = images * ops.where(ops.less_equal(largest, LARGEST_FLOAT), 255.0, 1.0)
    pixels = _resize(pixels, size)
    pixels = keras.layers.Rescaling(
        scale=[1 / (255 * std) for std in classifier.std],
        offset=[-mean / std for mean, std in zip(classifier.mean, classifier.std, strict=True)],
        dtype="float32",
        name="normalization",
    )(pixels)
    outputs = adapted.backbone(keras.tree.pack_sequence_as(adapted.backbone.input, [pixels]))
    features = features_and_tokens(outputs, adapted.num_prefix_tokens)["features"]
    logits = classifier.head(ops.cast(features, "float32"))
    return keras.Model(images, logits, name="image_classifier")


def _resize(images, size):
    """`layers.preprocessing.resize` of operations that a file of Keras can hold.

    Behind Keras' layer `Resizing`, Keras 3.15 takes `model(images)` for training, and its
    antialiased resize has no kernel in XLA, which compiles `predict` on a GPU.
    """
    images = ops.einsum("oh,bhwc->bowc", _weights(images[:1, :, :1, 0], size), images)
    columns = ops.transpose(images[:1, :1, :, 0], (0, 2, 1))
    return ops.einsum("pw,bowc->bopc", _weights(columns, size), images)


def _weights(line, size):
    """Weights (size, n) that resize a line of n pixels, given as (1, n, 1)."""
    # A graph of Keras can't ask for the size: pixels are counted.
    ends = ops.cumsum(ops.ones_like(line), axis=1)
    step = ops.max(ends, axis=1, keepdims=True) / size
    centers = step * (np.arange(size, dtype="float32") + 0.5)[None, None]
    weights = ops.abs(ends - 0.5 - centers) / ops.maximum(step, 1.0)
    weights = ops.transpose(ops.relu(1.0 - weights), (0, 2, 1))[0]
    return weights / ops.sum(weights, axis=1, keepdims=True)
