"""Small versions of images: how alike two are in their details, and how each one looks."""

from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.ndimage
import tensorflow as tf

from keras_adasim.evaluation.features import embed
from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_has

# Side of the small images, and how far one is moved over the other.
SIDE, REACH = 32, 3
# Side of the square whose mean is taken from each pixel.
BLUR = 5
LEVELS = 4
_IMAGES_AT_ONCE, _PAIRS_AT_ONCE = 2**14, 2**10


class SmallImages(NamedTuple):
    """What small versions of n images tell.

    Attributes:
        gray: Uint8 (n, 32, 32), each image resized as a whole.
        span: uint8 (n,), the largest difference between two pixels in one channel.
        look: float32 (n, 16), statistics of how an image looks: logarithms of the mean absolute
            Haar wavelet coefficients, horizontal, vertical and diagonal, of four octaves, and of
            the saturation; the 5th, 50th and 95th percentile of the brightness.
    """

    gray: np.ndarray
    span: np.ndarray
    look: np.ndarray


def small_images(source, batch_size=256, indices=None):
    """Makes small versions of images.

    Args:
        source: N images, as for `embed`.
        batch_size: Images resized at a time.
        indices: Integers (n,), the images; None for all.

    Returns:
        `SmallImages`.

    Raises:
        ValueError: If there is no image.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((6, 8, 8, 3), np.uint8))
        ka.evaluation.small_images.small_images(source).gray.shape  # (6, 32, 32)
        ```
    """
    check_has("source", source, "images, with a length", "__len__", "__getitem__")
    indices = np.arange(len(source)) if indices is None else indices
    indices = check_integers("indices", indices, (None,), len(source))
    parts = []
    for start in range(0, max(1, len(indices)), _IMAGES_AT_ONCE):
        rows = indices[start : start + _IMAGES_AT_ONCE]
        found = embed(source, _flat, batch_size, SIDE, indices=rows)
        gray, span, look = np.split(found, [SIDE**2, SIDE**2 + 1], axis=1)
        gray = gray.astype(np.uint8).reshape(-1, SIDE, SIDE)
        parts.append((gray, span[:, 0].astype(np.uint8), look))
    return SmallImages(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def thumbnails(source, indices, size=64):
    """Images as small squares: uint8 (n, size, size, C) of those at `indices`."""
    return embed(source, lambda images: images, image_size=size, indices=indices).astype(np.uint8)


def _flat(images):
    """uint8 (B, 32, 32, C) -> (B, 1024 + 1 + 16), what `SmallImages` has."""
    spans = tf.reduce_max(images, axis=(1, 2)) - tf.reduce_min(images, axis=(1, 2))
    span = tf.cast(tf.reduce_max(spans, axis=-1, keepdims=True), tf.float32)
    images = tf.cast(images, tf.float32)
    gray = tf.reduce_mean(images, axis=-1)
    saturation = tf.reduce_max(images, axis=-1) - tf.reduce_min(images, axis=-1)
    saturation = tf.math.log1p(tf.reduce_mean(saturation, axis=(1, 2)))[:, None]
    flat = tf.reshape(gray, (len(gray), -1))
    ordered = tf.sort(flat, axis=1)
    places = [round(share * (SIDE**2 - 1)) for share in (0.05, 0.5, 0.95)]
    brightness = tf.gather(ordered, places, axis=1)
    return tf.concat([tf.round(flat), span, *_wavelets(gray), saturation, brightness], axis=1)


def _wavelets(gray):
    """Logarithms of mean absolute Haar coefficients, (B, 1) each."""
    for _ in range(LEVELS):
        a, b = gray[:, ::2, ::2], gray[:, ::2, 1::2]
        c, d = gray[:, 1::2, ::2], gray[:, 1::2, 1::2]
        for difference in (a - b + c - d, a + b - c - d, a - b - c + d):
            yield tf.math.log1p(tf.reduce_mean(tf.abs(difference) / 2, axis=(1, 2)))[:, None]
        gray = (a + b + c + d) / 4


def detail_similarity(gray, pairs):
    """Correlation of the details of pairs of small images, where they fit best.

    Details are what is left of an image without the mean of the 5 x 5 pixels around each. The
    middle of the first is moved over the second by up to 3 pixels, and the largest correlation
    counts: near 1 for copies, also shifted, encoded again or changed in brightness; two images of
    one kind of thing have hardly more than any two.

    Args:
        gray: Small images, uint8 (N, 32, 32), as `small_images` gives them.
        pairs: Integers (m, 2), two images each.

    Returns:
        float32 array (m,), from -1 to 1; 0 where one has no details.

    Raises:
        ValueError: If an argument has another shape or type.

    Example:
        ```python
        gray = np.random.default_rng(0).integers(0, 256, (2, 32, 32), np.uint8)
        gray[1] = np.roll(gray[0], 2, axis=1)
        ka.evaluation.small_images.detail_similarity(gray, [[0, 1]])  # [1.0], but for rounding
        ```
    """
    gray = check_integers("gray", gray, (None, SIDE, SIDE), 256)
    pairs = check_integers("pairs", pairs, (None, 2), len(gray))
    found = np.zeros(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        rows = slice(start, start + _PAIRS_AT_ONCE)
        first, second = (gray[pairs[rows, side]].astype(np.uint8) for side in (0, 1))
        found[rows] = _best_correlation(first, second)
    return found


def _best_correlation(first, second):
    """Largest correlation (m,) of the middle of the first with each part of the second."""
    inner, side = slice(REACH, SIDE - REACH), SIDE - 2 * REACH
    middle, whole = np.zeros(first.shape, np.float32), _details(second)
    middle[:, inner, inner] = _details(first)[:, inner, inner]
    middle[:, inner, inner] -= middle[:, inner, inner].mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.sum(middle**2, axis=(1, 2)))
    # The middle's correlation with the whole, as a product of spectra; shifts of -REACH to REACH.
    spectrum = np.conj(scipy.fft.rfft2(middle)) * scipy.fft.rfft2(whole)
    shifts = np.arange(-REACH, REACH + 1)
    products = scipy.fft.irfft2(spectrum, s=(SIDE, SIDE))[:, shifts[:, None], shifts]
    sums = _window_sums(whole, side)
    squares = _window_sums(whole**2, side) - sums**2 / side**2
    lengths = length[:, None, None] * np.sqrt(np.maximum(squares, 0))
    best = np.max(products / np.maximum(lengths, 1e-6), axis=(1, 2))
    # Rounding of details that aren't there.
    return np.where(length < 1, 0, np.clip(best, -1, 1))


def _details(gray):
    """uint8 (m, 32, 32) -> float32, less the mean of the pixels around each."""
    gray = gray.astype(np.float32)
    return gray - scipy.ndimage.uniform_filter(gray, (0, BLUR, BLUR), mode="nearest")


def _window_sums(images, side):
    """Sums over all squares of a side: (m, 32, 32) -> (m, 33 - side, 33 - side)."""
    total = np.zeros((len(images), SIDE + 1, SIDE + 1))
    total[:, 1:, 1:] = images.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
    rows = total[:, side:] - total[:, :-side]
    return rows[:, :, side:] - rows[:, :, :-side]
