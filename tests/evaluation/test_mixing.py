"""Mixup and CutMix against loops over pixels, and what is drawn for them."""

import numpy as np
import pytest

from keras_adasim.evaluation.mixing import cutmix, draw_mixing, mixup


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.uniform(size=(5, 6, 7, 3)).astype("float32"), np.eye(5, dtype="float32")


def test_mixup_blends_with_the_other_end(batch):
    images, labels = batch
    mixed, targets = map(np.asarray, mixup(images, labels, 0.7))
    for i in range(5):
        np.testing.assert_allclose(mixed[i], 0.7 * images[i] + 0.3 * images[4 - i], rtol=1e-6)
        np.testing.assert_allclose(targets[i], 0.7 * labels[i] + 0.3 * labels[4 - i], rtol=1e-6)


def test_cutmix_pastes_from_the_other_end(batch):
    images, labels = batch
    mixed, targets = map(np.asarray, cutmix(images, labels, (1, 4, 2, 7)))
    expected = images.copy()
    for i in range(5):
        for row in range(1, 4):
            for column in range(2, 7):
                expected[i, row, column] = images[4 - i, row, column]
    np.testing.assert_array_equal(mixed, expected)
    share = 3 * 5 / (6 * 7)
    np.testing.assert_allclose(targets, (1 - share) * labels + share * labels[::-1], rtol=1e-6)


def test_nothing_changes_at_the_ends(batch):
    images, labels = batch
    for mixed in (mixup(images, labels, 1.0), cutmix(images, labels, (0, 0, 0, 0))):
        np.testing.assert_array_equal(mixed[0], images)
        np.testing.assert_array_equal(mixed[1], labels)
    np.testing.assert_array_equal(cutmix(images, labels, (0, 6, 0, 7))[0], images[::-1])


def test_one_of_both_is_drawn():
    drawn = [draw_mixing(0, step, 32) for step in range(400)]
    cuts = [share == 1 for share, _ in drawn]
    assert 150 < sum(cuts) < 250
    assert all(np.all(box == 0) or share == 1 for share, box in drawn)
    boxes = np.array([box for _, box in drawn])
    assert boxes.min() == 0
    assert boxes.max() == 32
    assert np.all(boxes[:, 0] <= boxes[:, 1])


def test_what_stays_is_of_the_beta_distribution():
    """Of Beta(1, 1), which is uniform, where the box isn't cut off."""
    boxes = np.array([draw_mixing(0, step, 10_000, 0, 1)[1] for step in range(2000)])
    boxes = boxes[(boxes.min(axis=1) > 0) & (boxes.max(axis=1) < 10_000)]
    sides = (boxes[:, 1] - boxes[:, 0]) / 10_000
    # A box of side s lies inside with probability (1 - s) ** 2, and s ** 2 is uniform.
    grid = np.linspace(0, 1, 1001)
    weights = 2 * grid * (1 - grid) ** 2
    assert abs(np.mean(sides) - np.average(grid, weights=weights)) < 0.03


def test_a_draw_follows_from_seed_and_step():
    first, again, other = (draw_mixing(*each, 32) for each in ((1, 2), (1, 2), (2, 1)))
    assert first[0] == again[0] != other[0]
    assert draw_mixing(0, 0, 32, mixup_alpha=0, cutmix_alpha=0)[0] == 1
    assert all(draw_mixing(0, step, 32, cutmix_alpha=0)[0] < 1 for step in range(20))
