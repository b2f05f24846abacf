import itertools

import numpy as np
import pytest

from keras_adasim.data import ArraySource
from keras_adasim.evaluation.small_images import detail_similarity, small_images, thumbnails

RNG = np.random.default_rng(0)


def _slow_similarity(first, second):
    """Correlation of details by every shift."""

    def details(image):
        padded = np.pad(image.astype(float), 2, mode="edge")
        parts = [padded[y : y + 32, x : x + 32] for y, x in itertools.product(range(5), repeat=2)]
        return image - np.mean(parts, axis=0)

    first, second = details(first), details(second)
    shifts = itertools.product(range(7), repeat=2)
    parts = [second[top : top + 26, left : left + 26].ravel() for top, left in shifts]
    return max(np.corrcoef(first[3:-3, 3:-3].ravel(), part)[0, 1] for part in parts)


def test_similarity_equals_the_slow_version():
    gray = RNG.integers(0, 256, (6, 32, 32), np.uint8)
    gray[3] = np.roll(gray[2] // 2 + 70, (2, -3), axis=(0, 1))
    gray[5] = gray[4]
    pairs = np.array([[0, 1], [2, 3], [3, 2], [4, 5]])
    found = detail_similarity(gray, pairs)
    expected = [_slow_similarity(gray[i], gray[j]) for i, j in pairs]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert found[0] < 0.3
    assert (found[1:] > 0.99).all()


def test_no_details_are_like_nothing():
    gray = np.stack([np.full((32, 32), 9), *[RNG.integers(0, 256, (32, 32))] * 2])
    np.testing.assert_array_equal(detail_similarity(gray, [[0, 0], [0, 1]]), [0, 0])
    assert len(detail_similarity(gray, np.zeros((0, 2), int))) == 0


def test_statistics_by_hand():
    images = np.zeros((3, 32, 32, 3), np.uint8)
    images[1, :, ::2] = 200  # Columns: the finest horizontal octave.
    images[2, 16:] = [10, 40, 70]  # Halves: nothing up to differences of 16 pixels.
    gray, span, look = small_images(ArraySource(images))
    np.testing.assert_array_equal(gray, images.astype(float).mean(axis=-1).round())
    np.testing.assert_array_equal(span, [0, 200, 70])
    expected = np.zeros((3, 16))
    expected[1, [0, 14, 15]] = np.log1p(200), 200, 200
    expected[2, [12, 14, 15]] = np.log1p(30), 40, 40
    np.testing.assert_allclose(look, expected, atol=1e-5)
    again = small_images(ArraySource(images), batch_size=2, indices=[2, 1])
    np.testing.assert_array_equal(again.look, look[[2, 1]])


def test_thumbnails():
    images = RNG.integers(0, 256, (3, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(thumbnails(ArraySource(images), [2, 0], 8), images[[2, 0]])


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`gray` of shape \(n, 32, 32\)"):
        detail_similarity(np.zeros((2, 16, 16), np.uint8), [[0, 1]])
    with pytest.raises(ValueError, match=r"entry of `pairs` to be in \[0, 2\)"):
        detail_similarity(np.zeros((2, 32, 32), np.uint8), [[0, 2]])
