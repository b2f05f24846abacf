import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from keras_adasim.augment import GaussianBlur


@pytest.mark.parametrize("shape", [(24, 24), (9, 31), (2, 3)])
def test_blur_is_a_gaussian_with_repeated_borders(shape):
    images = np.random.default_rng(0).uniform(0, 255, (4, *shape, 2)).astype(np.float32)
    sigmas = np.array([0.1, 0.5, 1.3, 2.0], np.float32)
    blurred = GaussianBlur().augment_images(tf.constant(images), tf.constant(sigmas)).numpy()
    for image, sigma, result in zip(images, sigmas, blurred, strict=True):
        expected = ndimage.gaussian_filter(
            image.astype(np.float64), sigma, mode="nearest", radius=8, axes=(0, 1)
        )
        np.testing.assert_allclose(result, expected, atol=1e-3)


def test_sigmas_are_uniform_and_drawn_per_image():
    sigmas = GaussianBlur((0.1, 2.0)).get_random_transformation_batch(4000).numpy()
    counts, _ = np.histogram(sigmas, bins=10, range=(0.1, 2.0))
    assert counts.sum() == 4000
    np.testing.assert_allclose(counts, 400, atol=90)


def test_an_even_image_stays_as_it_is():
    # KerasCV's blur pads with zeros and darkens the border.
    images = tf.fill((2, 8, 8, 3), 200.0)
    np.testing.assert_allclose(GaussianBlur()(images), images, rtol=1e-5)


def test_config_makes_an_equal_layer():
    layer = GaussianBlur((0.3, 0.4), name="blur")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("sigma", [(0.0, 1.0), (2.0, 1.0), (1.0,)])
def test_bad_sigma_is_named(sigma):
    with pytest.raises(ValueError, match="Expected `sigma`"):
        GaussianBlur(sigma)
