"""Dynamic loss scaling."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.optimizers.loss_scale import LossScale


def test_overflow_halves_the_scale_and_good_steps_double_it():
    scale = LossScale(initial=16.0, growth_steps=3)
    values = []
    for finite in (True, True, False, True, True, True, True):
        scale.update(tf.constant(finite))
        values.append(float(scale.scale.numpy()))
    assert values == [16, 16, 8, 8, 8, 16, 16]


def test_the_scale_stays_within_bounds():
    scale = LossScale(initial=1.0, growth_steps=1)
    scale.update(tf.constant(False))
    assert float(scale.scale.numpy()) == 1.0
    for _ in range(30):
        scale.update(tf.constant(True))
    assert float(scale.scale.numpy()) == 2.0**24


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_are_unscaled(jit_compile):
    scale = LossScale(initial=4.0)
    unscale = tf.function(scale.unscale, jit_compile=jit_compile)
    gradients = unscale({0: tf.constant([4.0, 8.0], tf.float16), 3: tf.constant(2.0)})
    np.testing.assert_allclose(gradients[0], [1.0, 2.0])
    assert gradients[0].dtype == tf.float32
    assert gradients[3] == 0.5


def test_config_round_trip():
    scale = LossScale(initial=4.0, growth_steps=7)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(scale))
    assert (twin.initial, twin.growth_steps) == (4.0, 7)
    assert float(twin.scale.numpy()) == 4.0
