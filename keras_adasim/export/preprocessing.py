"""What an exported backbone does to images before it looks at them."""

import tensorflow as tf

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def preprocess(images, image_size, mean, std):
    """Scales, resizes and normalises images.

    Args:
        images: `(B, H, W, C)`, uint8 from 0 to 255 or floats from 0 to 1.
        image_size: side of the result, in pixels.
        mean: C means of the channels, on the scale from 0 to 1.
        std: C standard deviations, on the same scale.

    Returns:
        float32 `(B, image_size, image_size, C)`.

    Raises:
        ValueError: if they are of another type.
    """
    check_type(images.dtype)
    scale = 255.0 if images.dtype == tf.uint8 else 1.0
    images = resize(tf.cast(images, tf.float32) / scale, image_size)
    return (images - tf.constant(mean, tf.float32)) / tf.constant(std, tf.float32)


def check_type(dtype):
    """Refuses images whose scale isn't known."""
    if dtype != tf.uint8 and not dtype.is_floating:
        raise ValueError(
            "Expected `images` to be uint8 (0 to 255) or floats (0 to 1). Received: "
            f"images.dtype={dtype.name}. Cast values from 0 to 255 to uint8; divide those of a "
            "larger range by its end."
        )


def resize(images, size):
    """Resizes to a square: bilinear, antialiased when it shrinks, sides scaled independently.

    Equals `tf.image.resize(images, (size, size), antialias=True)`, whose kernel XLA doesn't have,
    as two matrix products. Images of that size come out as they went in.

    Args:
        images: float32 `(B, H, W, C)`.
        size: side of the result, in pixels.

    Returns:
        float32 `(B, size, size, C)`.
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    images = tf.einsum("oh,bhwc->bowc", _bilinear_weights(height, size), images)
    return tf.einsum("pw,bowc->bopc", _bilinear_weights(width, size), images)


def _bilinear_weights(length, size):
    """Share `(size, length)` of every input pixel in every output pixel along one side."""
    step = tf.cast(length, tf.float32) / size
    centers = (tf.range(size, dtype=tf.float32) + 0.5) * step - 0.5
    distances = tf.abs(tf.range(length, dtype=tf.float32)[None] - centers[:, None])
    # The triangle widens with the step when shrinking: that is the antialiasing.
    weights = tf.maximum(0.0, 1.0 - distances / tf.maximum(step, 1.0))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)
