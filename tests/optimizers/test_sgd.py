import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.optimizers import SGD, WarmupCosine


def test_equals_the_definition():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 4)), rng.normal(size=(20, 3, 4))
    rate = WarmupCosine(0.1, 0.0, 20, 5)
    variable = keras.Variable(start.astype(np.float32))
    optimizer = SGD(rate, weight_decay=0.1, momentum=0.8)
    value, velocity = start, 0.0
    for step, gradient in enumerate(gradients):
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        velocity = 0.8 * velocity + gradient + 0.1 * value
        value = value - rate(step) * velocity
    np.testing.assert_allclose(variable, value, atol=1e-5)


def test_the_learning_rate_is_outside_the_velocity():
    """Keras would go on with the velocity that the old rate gave."""
    variable = keras.Variable([0.0])
    optimizer = SGD(1.0, momentum=0.5)
    optimizer.apply([tf.ones(1)], [variable])
    optimizer.learning_rate = 0.0
    optimizer.apply([tf.ones(1)], [variable])
    np.testing.assert_allclose(variable, [-1.0])


def test_weight_decay_passes_through_the_velocity():
    """Keras decouples it: the second step would not move."""
    variable = keras.Variable([[1.0]])
    optimizer = SGD(0.1, weight_decay=1.0, momentum=0.5)
    optimizer.apply([tf.zeros((1, 1))], [variable])
    optimizer.apply([-variable], [variable])
    np.testing.assert_allclose(variable, [[0.9 - 0.05]], rtol=1e-6)


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_wrong_momentum_is_refused(momentum):
    with pytest.raises(ValueError, match=r"`momentum` to be in \[0, 1\)"):
        SGD(0.1, momentum=momentum)
