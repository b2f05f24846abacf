import numpy as np
import pytest
from scipy.ndimage import zoom
from sklearn.metrics import confusion_matrix, jaccard_score

from keras_adasim.evaluation.dense import (
    confusion_counts,
    intersection_over_union,
    patch_labels,
    patch_retrieval,
)

RNG = np.random.default_rng(0)
FEATURES, MASKS = RNG.normal(size=(3, 4, 4, 6)), RNG.integers(0, 3, (3, 8, 8))


def _slow(train, train_masks, test, test_masks, topk, temperature):
    """Mean IoU of three classes, patch by patch; patches of 2 x 2 pixels."""
    memory = []
    for image, mask in zip(train, train_masks, strict=True):
        for y, x in np.ndindex(4, 4):
            pixels = mask[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            pixels = pixels[pixels != 255]
            if len(pixels):
                label = np.bincount(pixels, minlength=3) / len(pixels)
                memory.append((image[y, x] / np.linalg.norm(image[y, x]), label))
    found = np.zeros_like(test_masks)
    for image, mask in zip(test, found, strict=True):
        soft = np.zeros((4, 4, 3))
        for y, x in np.ndindex(4, 4):
            query = image[y, x] / np.linalg.norm(image[y, x])
            near = sorted(((query @ key, label) for key, label in memory), key=lambda p: -p[0])
            weights = np.exp([cosine / temperature for cosine, _ in near[:topk]])
            soft[y, x] = weights @ [label for _, label in near[:topk]] / weights.sum()
        large = [zoom(soft[..., c], 2, order=1, mode="nearest", grid_mode=True) for c in range(3)]
        mask[:] = np.argmax(large, axis=0)
    known = test_masks != 255
    return jaccard_score(test_masks[known], found[known], average=None, labels=range(3))


def test_equals_the_slow_version():
    masks = MASKS.copy()
    masks[0, :3, :5] = 255
    test, test_masks = RNG.normal(size=(2, 4, 4, 6)), RNG.integers(0, 3, (2, 8, 8))
    test_masks[1, 2] = 255
    expected = _slow(FEATURES, masks, test, test_masks, 5, 0.3)
    mean, per_class = patch_retrieval(
        7 * FEATURES, masks, test, test_masks, 3, topk=5, temperature=0.3
    )
    np.testing.assert_allclose(per_class, expected)
    assert mean == pytest.approx(expected.mean())


def test_equals_scikit_learn():
    found, truth = RNG.integers(0, 4, (2, 50))
    counts = confusion_counts(found, truth, 5)
    np.testing.assert_array_equal(counts, confusion_matrix(truth, found, labels=range(5)))
    expected = jaccard_score(truth, found, average=None)
    np.testing.assert_allclose(intersection_over_union(counts), [*expected, np.nan])


def test_images_find_themselves():
    masks = np.kron(RNG.integers(0, 3, (3, 4, 4)), np.ones((2, 2), int))
    grid = 3 * [[[[1.0, 0, 0]] * 4] * 4]
    # Of masks of the grid's size nothing is enlarged.
    small = masks[:, ::2, ::2]
    assert patch_retrieval(FEATURES, masks, FEATURES, small, 5, topk=1)[0] == 1.0
    assert patch_retrieval(np.array(grid), 0 * masks, FEATURES[..., :3], masks, 3)[1][1] == 0.0


def test_a_memory_of_some_patches():
    def retrieve(size, seed=0):
        return patch_retrieval(
            FEATURES, MASKS, FEATURES, MASKS, 3, topk=1, memory_size=size, seed=seed
        )[0]

    assert retrieve(20) == retrieve(20) != retrieve(20, seed=1)
    assert retrieve(20) < retrieve(48) == retrieve(99) == retrieve(None)


def test_shares_of_a_patch():
    masks = np.array([[[0, 1, 1, 1], [0, 0, 255, 255]], [[255] * 4, [255, 255, 0, 2]]])
    expected = [[[[0.75, 0.25, 0], [0, 1, 0]]], [[[0, 0, 0], [0.5, 0, 0.5]]]]
    np.testing.assert_allclose(patch_labels(masks, (1, 2), 3), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train_features": FEATURES[0]}, r"`train_features` .*\(4, 4, 6\)"),
        ({"test_features": FEATURES[..., :5]}, r"of one size.*\(3, 4, 4, 5\)"),
        ({"test_features": np.nan * FEATURES}, r"`test_features` to be finite"),
        ({"train_masks": MASKS[:2]}, r"`train_masks` of 3 images.*\(2, 8, 8\)"),
        ({"test_masks": MASKS + 1}, r"`test_masks` of classes below 3.*\[3\]"),
        ({"train_masks": 0 * MASKS + 255}, r"`train_masks` with pixels of a class"),
        ({"train_masks": MASKS[:, :7]}, r"`grid` to divide images of 7 x 8 pixels"),
        ({"topk": 49}, r"`topk` to be at most 48"),
        ({"temperature": 0}, r"`temperature` to be a positive"),
        ({"num_classes": 256}, r"`num_classes` to be at most 255"),
        ({"memory_size": 0}, r"`memory_size` to be a positive"),
        ({"seed": -1}, r"`seed` to be a non-negative"),
    ],
)
def test_wrong_arguments(arguments, message):
    right = {"train_features": FEATURES, "train_masks": MASKS, "num_classes": 3}
    right |= {"test_features": FEATURES, "test_masks": MASKS}
    with pytest.raises(ValueError, match=message):
        patch_retrieval(**{**right, **arguments})
