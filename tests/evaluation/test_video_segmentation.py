import itertools
import math

import numpy as np
import pytest
from scipy.ndimage import zoom

from keras_adasim.evaluation import video_segmentation
from keras_adasim.evaluation.video_segmentation import (
    boundary_f,
    jaccard,
    propagate_labels,
    video_scores,
)

RNG = np.random.default_rng(0)


def _square(top, left, side, shape=(40, 50)):
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def _slow_boundary(mask):
    """Pixels that differ from the right, lower or lower right one that there is."""
    height, width = mask.shape
    pixels = []
    for y, x in itertools.product(range(height), range(width)):
        others = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
        others = [(min(a, height - 1), min(b, width - 1)) for a, b in others]
        if any(mask[y, x] != mask[other] for other in others):
            pixels.append((y, x))
    return pixels


def _slow_f(mask, truth):
    radius = math.ceil(0.008 * math.hypot(*mask.shape))
    found, wanted = _slow_boundary(mask), _slow_boundary(truth)

    def met(pixels, others):
        near = [any((y - b) ** 2 + (x - a) ** 2 <= radius**2 for b, a in others) for y, x in pixels]
        return sum(near) / len(near)

    precision, recall = met(found, wanted), met(wanted, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_jaccard_by_hand():
    # 2 x 2 in common, of 16 + 16 - 4.
    assert jaccard(_square(2, 2, 4), _square(4, 4, 4)) == pytest.approx(4 / 28)
    empty = np.zeros((40, 50), bool)
    assert jaccard(empty, empty) == 1.0
    assert jaccard(empty, _square(2, 2, 4)) == 0.0


@pytest.mark.parametrize("shift", [0, 1, 2, 20])
def test_boundary_equals_the_slow_version(shift):
    truth = _square(5, 5, 9) ^ _square(28, 38, 12)  # The latter touches the frame.
    mask = np.roll(truth, shift, axis=1) ^ _square(20, 3, 3)
    assert boundary_f(mask, truth) == pytest.approx(_slow_f(mask, truth))


def test_boundary_by_hand():
    empty, full = np.zeros((40, 50), bool), np.ones((40, 50), bool)
    assert boundary_f(empty, empty) == boundary_f(full, empty) == 1.0
    assert boundary_f(empty, _square(2, 2, 4)) == boundary_f(_square(2, 2, 4), empty) == 0.0
    # The diagonal of 64 pixels allows for one, that of 126 for two.
    assert boundary_f(_square(9, 10, 8), _square(9, 9, 8)) == 1.0
    assert boundary_f(_square(9, 11, 8), _square(9, 9, 8)) < 1.0
    large = (80, 98)
    assert boundary_f(_square(9, 11, 8, large), _square(9, 9, 8, large)) == 1.0


def test_first_and_last_frame_are_left_out():
    truths = np.array([_square(5, 5, 9) + 7 * _square(20, 20, 9)] * 4)
    masks = truths.copy()
    masks[0] = masks[-1] = 0
    masks[1][masks[1] == 7] = 0
    scores = video_scores(masks, truths)
    assert list(scores["objects"]) == [1, 7]
    assert list(scores["j"]) == list(scores["f"]) == [1.0, 0.5]
    assert scores["mean"] == 0.75


def _slow_propagation(features, mask, last_frames, radius, topk, temperature):
    """Soft labels of every frame, patch by patch; mask and grid of one size."""
    features = features / np.linalg.norm(features, axis=-1, keepdims=True)
    places = list(itertools.product(range(mask.shape[0]), range(mask.shape[1])))
    soft = [np.eye(mask.max() + 1)[mask]]
    for t in range(1, len(features)):
        known = sorted({0, *range(max(0, t - last_frames), t)})
        labels = np.zeros_like(soft[0])
        for y, x in places:
            near = [
                (features[t, y, x] @ features[s, b, a], soft[s][b, a])
                for s in known
                for b, a in places
                if max(abs(y - b), abs(x - a)) <= radius
            ]
            near = sorted(near, key=lambda pair: -pair[0])[:topk]
            weights = np.exp([cosine / temperature for cosine, _ in near])
            labels[y, x] = weights @ [label for _, label in near] / weights.sum()
        soft.append(labels)
    return soft


def _stretched(soft):
    return (soft - soft.min(axis=(0, 1))) / np.ptp(soft, axis=(0, 1))


@pytest.mark.parametrize(("last_frames", "radius", "topk"), [(2, 2, 3), (0, 9, 50), (7, 1, 40)])
def test_propagation_equals_the_slow_version(last_frames, radius, topk):
    features, mask = RNG.normal(size=(5, 4, 6, 8)), RNG.integers(0, 3, (4, 6))
    found = propagate_labels(features, mask, last_frames, radius, topk, temperature=0.2)
    soft = _slow_propagation(features, mask, last_frames, radius, topk, 0.2)
    assert found.dtype == mask.dtype
    np.testing.assert_array_equal(found[0], mask)
    for frame, labels in zip(found[1:], soft[1:], strict=True):
        np.testing.assert_array_equal(frame, _stretched(labels).argmax(axis=-1))


def test_soft_labels_are_enlarged_and_stretched():
    soft = RNG.uniform(size=(3, 4, 2)).astype(np.float32)
    enlarged = np.stack(
        [zoom(soft[..., c], 2, order=1, mode="nearest", grid_mode=True) for c in range(2)], axis=-1
    )
    expected = _stretched(enlarged).argmax(axis=-1)
    np.testing.assert_array_equal(video_segmentation._largest(soft, (6, 8)), expected)


def test_a_moving_square_is_followed():
    truths = np.array([4 * _square(8, 4 + 4 * t, 8, (32, 32)) for t in range(5)])
    patches = truths[:, 2::4, 2::4]
    directions = np.array([[1.0, 0.0], [0.2, 1.0]])
    found = propagate_labels(directions[(patches > 0).astype(int)], truths[0])
    # Enlarged from patches of 4 pixels, corners are cut by a pixel.
    assert np.mean(found == truths) > 0.99
    assert set(np.unique(found)) == {0, 4}
    assert video_scores(found, truths)["mean"] > 0.9
    alone = propagate_labels(directions[(patches > 0).astype(int)], 0 * truths[0])
    assert not alone.any()


FEATURES, MASK = np.ones((3, 2, 2, 4)), np.ones((4, 4), int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jaccard(MASK, MASK > 0), r"`mask` .* booleans.*int64.*Compare"),
        (lambda: boundary_f(MASK > 0, np.ones((4, 5), bool)), r"of one shape.*\(4, 5\)"),
        (lambda: propagate_labels(FEATURES[0], MASK), r"`features` .*\(2, 2, 4\)"),
        (lambda: propagate_labels(np.nan * FEATURES, MASK), r"`features` to be finite"),
        (lambda: propagate_labels(FEATURES, MASK > 0), r"`first_mask` to hold integers"),
        (lambda: propagate_labels(FEATURES, MASK, topk=0), r"`topk` to be a positive integer"),
        (lambda: propagate_labels(FEATURES, MASK, radius=-1), r"`radius` .*radius=-1"),
        (lambda: propagate_labels(FEATURES, MASK, temperature=0), r"`temperature` .* positive"),
        (lambda: video_scores([MASK] * 3, [MASK] * 4), r"as many frames.*\(3, 4, 4\)"),
        (lambda: video_scores([MASK] * 3, [0 * MASK] * 3), r"`truths` with an object"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
