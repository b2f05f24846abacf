import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.data import ArraySource, PairDataset, Subset
from keras_adasim.pairing import SelfPairing

SOURCE = ArraySource(np.arange(6 * 12, dtype=np.uint8).reshape(6, 2, 2, 3), np.arange(6) % 3)


def test_images_are_renumbered():
    subset = Subset(SOURCE, [4, 1, 2])
    assert len(subset) == 3
    np.testing.assert_array_equal(subset.labels, [1, 1, 2])
    np.testing.assert_array_equal(subset[0], SOURCE[4])
    np.testing.assert_array_equal(subset.read(tf.constant([2, 1])), SOURCE.images[[2, 1]])
    assert subset.describe(1) == SOURCE.describe(1)
    assert Subset(ArraySource(SOURCE.images), [0]).labels is None
    assert subset.class_names is None
    assert Subset(ArraySource(SOURCE.images, [0] * 6, ["cat"]), [0]).class_names == ["cat"]


def test_pairs_are_made_of_it():
    subset = Subset(SOURCE, [4, 1, 2])
    (batch,) = PairDataset(subset, SelfPairing(), batch_size=3, shuffle=False)
    np.testing.assert_array_equal(batch["indices"], [0, 1, 2])
    np.testing.assert_array_equal(batch["images"], SOURCE.images[[4, 1, 2]])


@pytest.mark.parametrize("indices", [[], [6], [-1], [0.5], [[0]]])
def test_wrong_indices_are_named(indices):
    with pytest.raises(ValueError, match="indices"):
        Subset(SOURCE, indices)
