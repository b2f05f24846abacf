"""How far what was exported is from the network it was made of, by looking at images with both."""

import ml_dtypes
import numpy as np

LIMIT, ONNX_LIMIT = 1e-4, 1e-3
# Where a network computes in half precision, an order of operations may cost as many roundings.
ROUNDINGS = 8
NUM_IMAGES = 4


class DeviationError(RuntimeError):
    """An export doesn't compute what its network computes; it was not written.

    Example:
        ```python
        try:
            raise ka.export.DeviationError("Expected the export to give what the network gives.")
        except ka.export.DeviationError as error:
            print(error)
        ```
    """


def example_images(channels, image_size, value_range=None):
    """Two batches of seeded images, one of the network's size and one that has to be resized.

    They have large shapes and fine ones, as photographs do, and all levels of gray.

    Args:
        channels: Channels C.
        image_size: Side of the first batch's images in pixels.
        value_range: `(low, high)` of each channel, as an export takes it: the images then are
            float32 values in that range.

    Returns:
        List of two arrays (B, H, W, C), uint8, or float32 with a `value_range`.
    """
    sides = (image_size, image_size), (image_size + image_size // 3 + 1, image_size + 1)
    rng = np.random.default_rng(0)
    batches = [_photograph_like(rng, NUM_IMAGES, *each, channels) for each in sides]
    if value_range is None:
        return [np.round(255 * batch).astype(np.uint8) for batch in batches]
    low, high = np.split(np.asarray(value_range, np.float32), 2)
    return [(low + batch * (high - low)).astype(np.float32) for batch in batches]


def _photograph_like(rng, number, height, width, channels):
    """(number, height, width, channels) in [0, 1]: noise whose power falls with its frequency."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    noise = rng.normal(size=(number, channels, height, width))
    images = np.fft.irfft2(np.fft.rfft2(noise) / frequency, s=(height, width))
    images -= images.min(axis=(2, 3), keepdims=True)
    images /= np.maximum(images.max(axis=(2, 3), keepdims=True), 1e-12)
    return images.transpose(0, 2, 3, 1)


def largest_deviation(expected, found):
    """The largest absolute difference of two outputs, as a share of the largest magnitude expected.

    Args:
        expected: Dict of names to arrays.
        found: Dict of the same names to arrays of the same shapes.

    Returns:
        Float, the largest of all names; infinite if one is missing, of another shape or NaN.
    """
    worst = 0.0
    for name, right in expected.items():
        right = np.asarray(right, np.float32)
        other = np.asarray(found.get(name, np.nan), np.float32)
        if other.shape != right.shape:
            return float("inf")
        scale = max(float(np.abs(right).max()), 1e-12)
        deviation = float(np.abs(other - right).max()) / scale
        worst = max(worst, deviation if np.isfinite(deviation) else float("inf"))
    return worst


def check_deviation(look, exported, images, limit, what, dtype="float32"):
    """Raises an error unless an export gives what its network gives.

    Args:
        look: Function from images to a dict of arrays, by the network.
        exported: The same, by what was exported.
        images: List of batches.
        limit: Largest deviation that passes, as `largest_deviation` defines it, in float32.
        what: What was exported, for the message.
        dtype: Type that the network computes in: in half precision 8 of its roundings pass.

    Returns:
        The largest deviation, a float.

    Raises:
        DeviationError: If it is larger.
    """
    limit = max(limit, ROUNDINGS * float(ml_dtypes.finfo(dtype).eps))
    worst = max(largest_deviation(look(batch), exported(batch)) for batch in images)
    if not worst <= limit:
        raise DeviationError(
            f"Expected the {what} to give what the network gives, but for {limit:.0e} of the "
            f"largest value, in {dtype}. Received: a deviation of {worst:.1e}. Nothing was "
            "written; please report it, with the versions of TensorFlow and Keras."
        )
    return worst
