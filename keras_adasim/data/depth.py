"""Images of more than 8 bits per channel, as bytes."""

import numpy as np

# What becomes 0 and 255: a few hot pixels don't make all others dark.
PERCENTILES = (0.1, 99.9)
# Images that the range is measured on, and pixels of each.
SAMPLE, PIXELS = 64, 4096


def to_bytes(values, value_range):
    """Maps a range of values to 0 to 255, and what lies beyond to its ends.

    Args:
        values: (..., C) array.
        value_range: `(low, high)`, or C values that become 0 and C that become 255.

    Returns:
        uint8 array of the same shape.
    """
    low, high = np.split(np.asarray(value_range, np.float32), 2)
    shares = (np.asarray(values, np.float32) - low) / (high - low)
    return np.clip(np.rint(shares * np.float32(255)), 0, 255).astype(np.uint8)


def measure_range(samples, by_channel):
    """The range of some images' values, from the 0.1th to the 99.9th percentile.

    Args:
        samples: List of (n, C) arrays of pixels.
        by_channel: Whether each channel has its own.

    Returns:
        Tuple `(low, high)`, or C values `low`, then C values `high`.
    """
    pixels = np.concatenate(samples).astype(np.float64)
    low, high = np.percentile(pixels, PERCENTILES, axis=0 if by_channel else None)
    high = np.where(high > low, high, low + 1)
    return tuple(float(value) for value in (*np.atleast_1d(low), *np.atleast_1d(high)))


def some_pixels(image):
    """At most `PIXELS` pixels, spread over an (H, W, C) image: (n, C)."""
    pixels = image.reshape(-1, image.shape[-1])
    return pixels[np.linspace(0, len(pixels) - 1, min(PIXELS, len(pixels)), dtype=int)]


def sample_range(num_images, sample_of, by_channel):
    """Measures the range of a set on the first of its deep images in a fixed order.

    Args:
        num_images: Number of images N.
        sample_of: Function of an index, that gives (n, C) pixels, or None of an image that has no
            more than 8 bits, or can't be read.
        by_channel: As for `measure_range`.

    Returns:
        Tuple of floats, or None if no image is deep.
    """
    samples = []
    for index in np.random.default_rng(0).permutation(num_images):
        sample = sample_of(int(index))
        if sample is not None:
            samples.append(sample)
        if len(samples) == SAMPLE:
            break
    return measure_range(samples, by_channel) if samples else None


def check_value_range(value_range, channels):
    """Returns a range as a tuple of floats.

    Raises:
        ValueError: If it isn't `(low, high)`, or as many of each as there are channels, low first.
    """
    try:
        values = np.asarray(value_range, np.float64)
    except (TypeError, ValueError):
        values = np.zeros(())
    halves = np.split(values, 2) if values.ndim == 1 and len(values) in (2, 2 * channels) else None
    if halves is None or not (np.isfinite(values).all() and (halves[0] < halves[1]).all()):
        raise ValueError(
            f"Expected `value_range` to be low,high, or {channels} low ones and {channels} high "
            f"ones: the values that become 0 and 255. Received: value_range={value_range}"
        )
    return tuple(values.tolist())
