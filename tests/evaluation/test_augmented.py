import numpy as np
import pytest

from keras_adasim.data import ArraySource
from keras_adasim.evaluation import augmented_batches

RNG = np.random.default_rng(0)
LABELS = np.arange(10)
# The label is the red channel, a ramp from left to right is the green one.
IMAGES = np.zeros((10, 12, 16, 3), np.uint8)
IMAGES[..., 0] = 20 * LABELS[:, None, None]
IMAGES[..., 1] = 15 * np.arange(16)


def _epochs(seed, epochs=2):
    source = ArraySource(IMAGES, LABELS)
    batches = list(augmented_batches(source, 8, batch_size=4, epochs=epochs, seed=seed))
    return [(images.numpy(), labels.numpy()) for images, labels in batches]


def test_every_image_comes_once_in_every_epoch():
    batches = _epochs(0)
    assert [len(labels) for _, labels in batches] == [4] * 5
    labels = np.concatenate([labels for _, labels in batches])
    images = np.concatenate([images for images, _ in batches])
    assert images.shape == (20, 8, 8, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(
        images[..., 0], np.broadcast_to(20 * labels[:, None, None], (20, 8, 8))
    )
    first, second = labels[:10], labels[10:]
    assert sorted(first) == sorted(second) == list(LABELS)
    assert list(first) != list(second)
    # Another crop in every epoch, and some of all are flipped.
    order = images[:10][np.argsort(first)] != images[10:][np.argsort(second)]
    assert order.any(axis=(1, 2, 3)).mean() > 0.7
    rises = images[..., 1].astype(int)
    flipped = rises[:, 0, -1] < rises[:, 0, 0]
    assert 4 <= flipped.sum() <= 16


def test_the_seed_decides():
    first, again, other = _epochs(1, 1), _epochs(1, 1), _epochs(2, 1)
    for (images, labels), (same, same_labels) in zip(first, again, strict=True):
        np.testing.assert_array_equal(images, same)
        np.testing.assert_array_equal(labels, same_labels)
    assert not all(np.array_equal(a, b) for (a, _), (b, _) in zip(first, other, strict=True))


def test_wrong_arguments():
    source = ArraySource(IMAGES, LABELS)
    with pytest.raises(ValueError, match="image_size=0"):
        augmented_batches(source, 0)
    with pytest.raises(ValueError, match="epochs=0"):
        augmented_batches(source, 8, epochs=0)
    with pytest.raises(ValueError, match="with labels"):
        augmented_batches(ArraySource(IMAGES), 8)
    with pytest.raises(ValueError, match=r"`source` to be .*source=3"):
        augmented_batches(3, 8)
