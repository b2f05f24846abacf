import keras
import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment import KeyedGenerator, RandomApply, drawing_from


def invert(**kwargs):
    return keras_cv.layers.Solarization((0, 255), **kwargs)


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_the_layer_is_applied_to_a_share_of_the_images(rate):
    images = tf.zeros((5000, 1, 1, 3))
    applied = RandomApply(invert(), rate, seed=1)(images).numpy()[:, 0, 0] == 255
    assert np.all(applied == applied[:, :1])
    np.testing.assert_allclose(applied.mean(), rate, atol=0.02 if 0 < rate < 1 else 0)


def test_the_layer_within_draws_from_the_same_generator():
    images = tf.random.stateless_uniform((16, 4, 4, 3), (0, 0), 0, 255)
    layer = RandomApply(keras_cv.layers.RandomFlip(), 0.9)
    outputs = []
    for _ in range(2):
        with drawing_from(layer, KeyedGenerator(0, 0, 0, rows=16)):
            outputs.append(layer(images).numpy())
    np.testing.assert_array_equal(*outputs)
    assert np.any(outputs[0] != images)


def test_it_takes_the_name_of_the_layer():
    assert RandomApply(invert(name="solarize")).name == "solarize"


@pytest.mark.slow
def test_it_compiles():
    layer = RandomApply(invert(), 1.0)
    layer._random_generator = KeyedGenerator(0, 0, 0, rows=2)
    images = tf.ones((2, 3, 3, 3))
    np.testing.assert_array_equal(tf.function(layer, jit_compile=True)(images), 254 * images)


def test_config_makes_an_equal_layer():
    layer = RandomApply(keras_cv.layers.RandomFlip("vertical", name="flip"), 0.3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert again.layer.mode == "vertical"


def test_bad_rate_is_named():
    with pytest.raises(ValueError, match=r"Expected `rate`.*Received: rate=1.5"):
        RandomApply(invert(), 1.5)
