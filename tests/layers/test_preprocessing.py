import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess, resize


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
