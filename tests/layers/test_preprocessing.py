import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.data.depth import to_bytes
from keras_adasim.layers.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    bytes_of_range,
    preprocess,
    resize,
)


@pytest.mark.parametrize("sides", [(31, 50), (16, 16), (7, 5), (64, 9), (1, 1)])
def test_resize_is_the_antialiased_bilinear_one_of_tensorflow(sides):
    images = np.random.default_rng(0).random((2, *sides, 3), np.float32)
    expected = tf.image.resize(images, (16, 16), antialias=True)
    np.testing.assert_allclose(resize(tf.constant(images), 16), expected, atol=1e-6)


def test_images_of_the_right_size_are_not_changed():
    images = np.random.default_rng(0).random((2, 24, 24, 3), np.float32)
    np.testing.assert_array_equal(resize(tf.constant(images), 24), images)


@pytest.mark.slow
def test_resize_compiles():
    images = np.random.default_rng(0).random((2, 20, 12, 3), np.float32)
    compiled = tf.function(lambda x: resize(x, 8), jit_compile=True)
    np.testing.assert_allclose(compiled(images), resize(tf.constant(images), 8), atol=1e-6)


def test_integers_and_floats_are_normalized_alike():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    expected = (images / 255.0 - IMAGENET_MEAN) / IMAGENET_STD
    for values in (images, (images / 255.0).astype(np.float32)):
        out = preprocess(tf.constant(values), 8, IMAGENET_MEAN, IMAGENET_STD)
        np.testing.assert_allclose(out, expected, atol=1e-5)
        assert out.dtype == tf.float32


@pytest.mark.parametrize("value_range", [(4.0, 4091.0), (-1.0, 0.0, 1.0, 5000.0)])
def test_a_range_of_values_is_mapped_as_files_are(value_range):
    channels = len(value_range) // 2
    values = np.random.default_rng(0).integers(0, 5000, (2, 8, 8, channels), np.uint16)
    mapped = bytes_of_range(tf.constant(values), value_range)
    np.testing.assert_array_equal(mapped, to_bytes(values, value_range))
    mean, std = (0.5,) * channels, (0.2,) * channels
    expected = preprocess(mapped, 4, mean, std)
    for images in (values, values.astype("f4"), values.astype("f8")):
        found = preprocess(tf.constant(images), 4, mean, std, value_range)
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(preprocess(mapped, 4, mean, std, value_range), expected)


@pytest.mark.parametrize("wrong", [0.7, np.nan, np.inf])
def test_values_that_are_no_files_are_refused(wrong):
    """Floats from 0 to 1 would all be black."""
    images = tf.fill((1, 4, 4, 1), tf.constant(wrong, tf.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="the values of the files"):
        bytes_of_range(images, (4.0, 4091.0))
    assert not bytes_of_range(tf.zeros((1, 4, 4, 1)), (4.0, 4091.0)).numpy().any()
