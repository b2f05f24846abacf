"""What happens to images before a network sees them: one resize, one mean, and one L2 norm."""

import tensorflow as tf
from keras import ops

from keras_adasim.validation import check_choice

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
INTERPOLATIONS = ("bilinear", "bicubic")


# Floats from 0 to 1, but for what a bicubic kernel overshoots.
LARGEST_FLOAT = 1.1


def preprocess(images, image_size, mean, std, value_range=None):
    """Scales, resizes and normalizes images.

    Args:
        images: (B, H, W, C) tensor, uint8 from 0 to 255 or floats from 0 to 1.
        image_size: Side of the result in pixels.
        mean: C means of the channels, on the scale from 0 to 1.
        std: C standard deviations, on the same scale.
        value_range: `(low, high)`, or C low values and C high ones, that become 0 and 255 in images
            of other types than uint8; None if there are none.

    Returns:
        (B, image_size, image_size, C) float32 tensor.

    Raises:
        ValueError: If the images are of another type, or have other channels.
        tf.errors.InvalidArgumentError: If floats are not from 0 to 1.
    """
    check_channels(images, len(mean))
    if value_range is not None and images.dtype != tf.uint8:
        images = bytes_of_range(images, value_range)
    check_type(images.dtype)
    scale = 255.0 if images.dtype == tf.uint8 else 1.0
    with tf.control_dependencies(assert_range(images, "images")):
        images = tf.identity(images)
    return standardize(resize(tf.cast(images, tf.float32) / scale, image_size), mean, std)


def standardize(images, mean, std):
    """Takes the channels' means off images (B, H, W, C) from 0 to 1; divides by the deviations."""
    return (images - tf.constant(mean, tf.float32)) / tf.constant(std, tf.float32)


def bytes_of_range(images, value_range):
    """Maps a range of values to 0 to 255, as `data` does when it reads files.

    Args:
        images: (B, H, W, C) tensor of the values in the files.
        value_range: As for `preprocess`.

    Returns:
        uint8 tensor.

    Raises:
        tf.errors.InvalidArgumentError: If there is NaN, or all values are from 0 to 1, but not 0,
            where the range goes further than 10.
    """
    values = tf.cast(images, tf.float32)
    low, high = tf.split(tf.constant(value_range, tf.float32), 2)
    largest = tf.reduce_max(tf.abs(values))
    plausible = (largest == 0) | (largest > LARGEST_FLOAT) | (tf.reduce_max(high) <= 10)
    message = (
        "Expected `images` of another type than uint8 to have the values of the files that the "
        f"network has learned from, some {value_range}. Received: NaN, or values up to "
    )
    sound = plausible & tf.reduce_all(tf.math.is_finite(values))
    with tf.control_dependencies([tf.debugging.Assert(sound, [message, largest])]):
        shares = (values - low) / (high - low)
    return tf.saturate_cast(tf.round(shares * 255.0), tf.uint8)


def check_type(dtype, value_range=None):
    """Raises ValueError unless images are of a type whose scale is known."""
    known = dtype == tf.uint8 or (dtype == tf.uint16 and value_range is not None)
    if not known and not dtype.is_floating:
        raise ValueError(
            "Expected `images` to be uint8 (0 to 255) or floats (0 to 1). Received: "
            f"images.dtype={dtype.name}. Cast values from 0 to 255 to uint8; divide those of a "
            "larger range by its end."
        )


def check_channels(images, channels):
    """Raises ValueError unless images (B, H, W, C) have the channels that a network takes."""
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[-1] not in (None, channels):
        alpha = len(shape) == 4 and (channels, shape[-1]) in ((3, 4), (1, 2))
        cut = f" Cut the alpha channel off: images[..., :{channels}]." if alpha else ""
        raise ValueError(
            f"Expected `images` of {channels} channels, of shape (B, H, W, {channels}). "
            f"Received: images.shape={shape}.{cut}"
        )


def assert_range(images, name):
    """Returns a list of operations that fail if floats are not from 0 to 1; none for bytes."""
    if not images.dtype.is_floating:
        return []
    largest = tf.reduce_max(tf.abs(tf.cast(images, tf.float32)))
    message = (
        f"Expected `{name}` to be uint8 (0 to 255) or floats (0 to 1): divide floats of a larger "
        "range by its end. Received: NaN, or floats as far from 0 as "
    )
    return [tf.debugging.Assert(largest <= LARGEST_FLOAT, [message, largest])]


def check_interpolation(interpolation):
    """Raises ValueError unless `interpolation` is one that images are resized with."""
    check_choice("interpolation", interpolation, INTERPOLATIONS)


def resize(images, size):
    """Resizes to a square on any device: bilinear, antialiased, sides scaled independently.

    Equals `tf.image.resize(images, (size, size), antialias=True)`, whose kernel XLA doesn't have,
    as two matrix products. Images of that size come out as they went in.

    Args:
        images: (B, H, W, C) float32 tensor.
        size: Side of the result in pixels.

    Returns:
        (B, size, size, C) float32 tensor.
    """
    if images.shape[1:3] == (size, size):
        return images
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    images = tf.einsum("oh,bhwc->bowc", _weights_of_line(height, size), images)
    return tf.einsum("pw,bowc->bopc", _weights_of_line(width, size), images)


def resize_bytes(image, sides, interpolation="bilinear"):
    """Resizes one image on the host, where it is read, by the same rule as `resize`.

    Args:
        image: (H, W, C) uint8 tensor.
        sides: Height and width of the result in pixels.
        interpolation: `"bilinear"` or `"bicubic"`.

    Returns:
        (height, width, C) uint8 tensor.
    """

    def resized(antialias):
        return tf.image.resize(image, sides, interpolation, antialias=antialias)

    if interpolation == "bilinear":
        # Without shrinkage the same, for half of the time.
        shrinks = tf.reduce_any(tf.shape(image)[:2] > sides)
        pixels = tf.cond(shrinks, lambda: resized(True), lambda: resized(False))
    else:
        pixels = resized(True)
    return tf.saturate_cast(tf.round(pixels), tf.uint8)


def _weights_of_line(num_pixels, size):
    """Weights (size, num_pixels) that resize a whole line."""
    start, length = tf.zeros(1), tf.cast(num_pixels, tf.float32)[None]
    return resize_weights(start, length, num_pixels, size, "bilinear")[0]


def resize_weights(start, length, num_pixels, size, interpolation):
    """Weights that resize an interval of a line of pixels to `size` pixels.

    Args:
        start: (B,) float tensor, the first pixel of the interval.
        length: (B,) float tensor, pixels in the interval.
        num_pixels: Pixels of the whole line.
        size: Pixels to make.
        interpolation: `"bilinear"` or `"bicubic"` (a = -0.5).

    Returns:
        (B, size, num_pixels) float tensor; every row sums to one.
    """
    start, length = start[:, None, None], length[:, None, None]
    step = length / size
    stretch = tf.maximum(step, 1.0)
    centers = start + (tf.range(size, dtype=tf.float32)[:, None] + 0.5) * step
    pixels = tf.range(num_pixels, dtype=tf.float32)
    distance = tf.abs(pixels + 0.5 - centers) / stretch
    inside = (pixels >= start) & (pixels < start + length)
    weights = tf.where(inside, _kernel(distance, interpolation), 0.0)
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def _kernel(distance, interpolation):
    if interpolation == "bilinear":
        return tf.maximum(1.0 - distance, 0.0)
    near = (1.5 * distance - 2.5) * distance**2 + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return tf.where(distance < 1.0, near, tf.where(distance < 2.0, far, 0.0))


def l2_normalize(x, axis=-1):
    """Divides by the L2 norm along an axis, at least 1e-12, in float32.

    `keras.ops.normalize` has no finite gradient at zero.

    Args:
        x: Float tensor.
        axis: The axis whose entries make a vector.

    Returns:
        Float32 tensor of the same shape, of vectors with norm 1; zeros stay zeros.
    """
    x = ops.cast(x, "float32")
    square_sum = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(square_sum, 1e-24))
