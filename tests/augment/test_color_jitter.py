import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment import ColorJitter, KeyedGenerator, drawing_from
from tests.augment import test_hue


def gray(image):
    return (image @ np.array([0.2989, 0.587, 0.114]))[..., None]


def blend(image, reference, factor):
    return np.clip(factor * image + (1 - factor) * reference, 0, 1)


def oracle(image, factors, order):
    """torchvision's four adjustments of an image in [0, 1], one after the other."""
    adjust = (
        lambda x, f: blend(x, 0.0, f),
        lambda x, f: blend(x, gray(x).mean(), f),
        lambda x, f: blend(x, gray(x), f),
        test_hue.oracle,
    )
    for kind in order:
        image = adjust[kind](image, factors[kind])
    return image


def test_every_order_equals_torchvisions_definition():
    orders = np.array(list(itertools.permutations(range(4))), np.int32)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(orders), 4, 5, 3)).astype(np.float32)
    low, high = [0.6, 0.6, 0.8, -0.1], [1.4, 1.4, 1.2, 0.1]
    factors = rng.uniform(low, high, (len(orders), 4)).astype(np.float32)
    jittered = ColorJitter().augment_images(
        tf.constant(images), {"factors": tf.constant(factors), "order": tf.constant(orders)}
    )
    expected = [oracle(*row) for row in zip(images / 255.0, factors, orders, strict=True)]
    np.testing.assert_allclose(jittered / 255, expected, atol=2e-5)


def test_brightness_multiplies():
    # KerasCV's 0.4 is additive and turns 100 into anything from 0 to 202.
    images = tf.fill((500, 2, 2, 3), 100.0)
    jittered = ColorJitter(0.4, 0, 0, 0, seed=1)(images).numpy()
    assert 60 <= jittered.min() < 62
    assert 138 < jittered.max() <= 140.001


def test_no_strength_changes_nothing():
    images = tf.random.stateless_uniform((4, 3, 3, 3), (0, 0), 0, 255)
    np.testing.assert_allclose(ColorJitter(0, 0, 0, 0)(images), images, atol=1e-3)


def test_orders_are_drawn_evenly_and_per_image():
    layer = ColorJitter()
    with drawing_from(layer, KeyedGenerator(0, 0, 0, rows=4800)):
        drawn = layer.get_random_transformation_batch(4800)
    orders, counts = np.unique(drawn["order"].numpy(), axis=0, return_counts=True)
    assert len(orders) == 24
    np.testing.assert_allclose(counts, 200, atol=60)
    low, high = np.array([0.6, 0.6, 0.8, -0.1]), np.array([1.4, 1.4, 1.2, 0.1])
    factors = drawn["factors"].numpy()
    np.testing.assert_allclose(factors.min(axis=0), low, atol=0.01)
    np.testing.assert_allclose(factors.max(axis=0), high, atol=0.01)
    np.testing.assert_allclose(factors.mean(axis=0), (low + high) / 2, atol=0.02)


def test_a_strength_above_one_does_not_make_factors_negative():
    layer = ColorJitter(brightness=1.5)
    factors = layer.get_random_transformation_batch(1000)["factors"].numpy()
    assert factors[:, 0].min() >= 0


def test_config_makes_an_equal_layer():
    layer = ColorJitter(0.1, 0.2, 0.3, 0.4, name="jitter")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("bad", [{"brightness": -0.1}, {"hue": 0.6}])
def test_bad_strengths_are_named(bad):
    with pytest.raises(ValueError, match=f"Expected `{next(iter(bad))}`"):
        ColorJitter(**bad)
