import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.data import ArraySource
from keras_adasim.evaluation import embed

RNG = np.random.default_rng(0)


def _flat(images):
    return tf.reshape(images, (len(images), -1))


def _mean(images):
    return tf.reduce_mean(tf.cast(images, tf.float32), axis=(1, 2))


@pytest.mark.parametrize("batch_size", [1, 4, 10, 64])
def test_features_come_in_order_with_a_smaller_last_batch(batch_size):
    images = RNG.integers(0, 256, (10, 5, 5, 3), np.uint8)
    sizes = []

    def embed_fn(batch):
        sizes.append(len(batch))
        assert batch.dtype == tf.uint8
        return _flat(batch)

    for source in (ArraySource(images), list(images)):
        features = embed(source, embed_fn, batch_size)
        assert features.dtype == np.float32
        np.testing.assert_array_equal(features, images.reshape(10, -1))
    assert sum(sizes) == 20
    assert max(sizes) == min(batch_size, 10)


def test_some_images():
    images = RNG.integers(0, 256, (10, 5, 5, 3), np.uint8)
    features = embed(ArraySource(images), _flat, indices=[7, 0, 7])
    np.testing.assert_array_equal(features, images.reshape(10, -1)[[7, 0, 7]])


@pytest.mark.parametrize("center_crop", [False, True])
def test_images_of_the_right_size_are_left_alone(center_crop):
    # Resizing 32 pixels to 37 and cutting 32 out would lose their borders.
    images = RNG.integers(0, 256, (4, 16, 16, 3), np.uint8)
    features = embed(ArraySource(images), _flat, image_size=16, center_crop=center_crop)
    np.testing.assert_array_equal(features, images.reshape(4, -1))


def test_whole_images_of_several_sizes():
    images = [RNG.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((20, 40), (9, 8), (16, 17))]
    features = embed(images, _flat, image_size=16)
    for image, feature in zip(images, features, strict=True):
        expected = np.round(tf.image.resize(image, (16, 16), antialias=True))
        np.testing.assert_array_equal(feature.reshape(16, 16, 3), expected)


def test_center_crop_is_that_of_torchvision():
    # Resize(32, bicubic) and CenterCrop(28) of a 50 x 87 image: 32 x 55, then rows 2, columns 14.
    image = RNG.integers(0, 256, (50, 87, 3), np.uint8)
    resized = tf.image.resize(image, (32, 55), method="bicubic", antialias=True)
    expected = np.clip(np.round(resized), 0, 255)[2:30, 14:42]
    feature = embed([image], _flat, image_size=28, center_crop=True)
    np.testing.assert_array_equal(feature.reshape(28, 28, 3), expected)


def test_gray_images():
    images = RNG.integers(0, 256, (3, 20, 20, 1), np.uint8)
    assert embed(list(images), _mean, image_size=8).shape == (3, 1)


def test_wrong_arguments():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match=r"`batch_size` to be a positive integer.*size=0"):
        embed(list(images), _flat, batch_size=0)
    with pytest.raises(ValueError, match=r"`image_size` to be a positive integer.*size=-1"):
        embed(list(images), _flat, image_size=-1)
    with pytest.raises(ValueError, match=r"`image_size` to be a positive integer.*size='8'"):
        embed(list(images), _flat, image_size="8")
    with pytest.raises(ValueError, match="at least one image"):
        embed([], _flat)
