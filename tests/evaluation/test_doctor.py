import io

import numpy as np
import pytest
from PIL import Image

from keras_adasim.evaluation.doctor import (
    connected,
    far_from_neighbors,
    near_duplicates,
    one_color,
    unlike_in_look,
)

RNG = np.random.default_rng(0)


def _images(number=120):
    """Gray images, 32 pixels wide, of the power spectrum of photographs."""
    frequency = np.hypot(np.fft.fftfreq(32)[:, None], np.fft.rfftfreq(32))
    noise = np.fft.rfft2(np.random.default_rng(0).normal(size=(number, 32, 32)))
    images = np.fft.irfft2(noise / np.maximum(frequency, 1 / 32))
    images -= images.min(axis=(1, 2), keepdims=True)
    return (255 * images / images.max(axis=(1, 2), keepdims=True)).astype(np.uint8)


def _encoded_again(gray, quality):
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _features(gray):
    """A fixed function of images that no pixel decides: mean and contrast of nine parts."""
    parts = np.array_split(gray.astype(float), 3, axis=1)
    parts = [part for column in parts for part in np.array_split(column, 3, axis=2)]
    return np.stack([f(p, axis=(1, 2)) for p in parts for f in (np.mean, np.std)], axis=1)


def test_planted_duplicates_are_found_and_no_others():
    gray = list(_images())
    number = len(gray)
    shifted = [np.roll(gray[i], shift, (0, 1)) for i, shift in ((9, (0, 2)), (30, (-2, 2)))]
    gray += [gray[3], *shifted, *(_encoded_again(gray[i], 60) for i in (50, 77))]
    # Three of one, which is one cluster.
    gray.append(_encoded_again(gray[3], 80))
    gray = np.array(gray)
    found = near_duplicates(_features(gray), gray)
    clusters = [[3, number, number + 5], [9, number + 1], [30, number + 2]]
    clusters += [[50, number + 3], [77, number + 4]]
    assert [list(cluster) for cluster in found.clusters] == clusters
    assert len(found.pairs) == 7
    assert found.chance < 0.2 < 0.5 <= found.threshold < 0.8 < found.similarities.min()
    again = near_duplicates(_features(gray), gray)
    np.testing.assert_array_equal(again.pairs, found.pairs)
    assert again.threshold == found.threshold


def test_poor_features_hide_no_duplicate():
    gray = _images()
    gray[99] = np.roll(gray[14], 1, axis=0)
    found = near_duplicates(RNG.normal(size=(len(gray), 2)), gray)
    assert [list(cluster) for cluster in found.clusters] == [[14, 99]]


def test_two_images():
    gray = RNG.integers(0, 256, (2, 32, 32), np.uint8)
    assert near_duplicates(np.ones((2, 3)), gray).clusters == []
    gray[1] = gray[0]
    assert len(near_duplicates(np.ones((2, 3)), gray).clusters) == 1


def test_groups():
    groups = connected([[7, 2], [5, 3], [2, 9], [5, 3]], 11)
    assert [list(group) for group in groups] == [[2, 7, 9], [3, 5]]
    assert connected(np.zeros((0, 2), int), 4) == []


def test_distance_to_neighbors():
    features = RNG.normal(size=(100, 6)) * [9, 9, 1, 1, 1, 1]
    features[11] = [0, 0, 9, -9, 9, 9]
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ unit.T
    found = far_from_neighbors(features)
    # 5 neighbors of 100 images, though 10 are the most.
    expected = [1 - np.sort(np.delete(row, i))[-5:].mean() for i, row in enumerate(cosines)]
    np.testing.assert_allclose(found.distances, expected, atol=1e-6)
    pairs = 1 - cosines[np.triu_indices(100, 1)]
    assert found.threshold == pytest.approx(np.quantile(pairs, 0.25), abs=1e-6)
    assert found.indices[0] == 11
    assert set(found.indices) == set(np.flatnonzero(np.array(expected) > found.threshold))


def test_what_looks_like_nothing_else():
    look = RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 4))
    # Each number is usual by itself.
    direction = np.linalg.svd(look)[2][-1]
    look[[5, 80]] = 9 * direction * [[1], [-1.2]]
    found = unlike_in_look(np.column_stack([look, np.ones(300)]))
    assert {5, 80} <= set(found.indices)
    assert len(found.indices) <= 4
    assert (np.diff(found.distances[found.indices]) <= 0).all()
    np.testing.assert_array_equal(found.indices, unlike_in_look(1000 * look).indices)
    assert unlike_in_look(look[:39]) is None
    assert unlike_in_look(np.ones((50, 3))) is None


def test_spans_of_colors():
    assert list(one_color([0, 9, 8, 200])) == [0, 2]


FEATURES, GRAY = np.ones((4, 2)), np.zeros((4, 32, 32), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: near_duplicates(FEATURES[:1], GRAY[:1]), r"`features` .* two images.*\(1, 2\)"),
        (lambda: near_duplicates(FEATURES, GRAY[:3]), r"`gray` of shape \(4, 32, 32\)"),
        (lambda: near_duplicates(FEATURES, GRAY, k=0), r"`k` to be a positive integer"),
        (lambda: near_duplicates(FEATURES, GRAY, expected=0), r"`expected` to be a positive"),
        (lambda: far_from_neighbors(FEATURES * np.nan), r"`features` to be finite"),
        (lambda: unlike_in_look(FEATURES, expected=np.nan), r"`expected` to be a positive"),
        (lambda: one_color([0.5]), r"`span` to hold integers"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
