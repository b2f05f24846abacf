import keras
import numpy as np
import tensorflow as tf

from keras_adasim.optimizers import LARS, SGD


def test_equals_the_definition():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 4)), rng.normal(size=(20, 3, 4))
    variable = keras.Variable(start.astype(np.float32))
    optimizer = LARS(0.5, weight_decay=0.1, momentum=0.8, trust_coefficient=0.02)
    value, velocity = start, 0.0
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        gradient = gradient + 0.1 * value
        gradient = gradient * 0.02 * np.linalg.norm(value) / np.linalg.norm(gradient)
        velocity = 0.8 * velocity + gradient
        value = value - 0.5 * velocity
    np.testing.assert_allclose(variable, value, atol=1e-5)


def test_vectors_follow_plain_momentum():
    rng = np.random.default_rng(0)
    ours, plain = keras.Variable(tf.ones(5)), keras.Variable(tf.ones(5))
    lars, sgd = LARS(0.5, weight_decay=0.1), SGD(0.5)
    for gradient in rng.normal(size=(4, 5)).astype(np.float32):
        lars.apply([tf.constant(gradient)], [ours])
        sgd.apply([tf.constant(gradient)], [plain])
    np.testing.assert_array_equal(ours, plain)


def test_zero_norms_leave_the_gradient_alone():
    zero, still = keras.Variable(tf.zeros((2, 2))), keras.Variable(tf.ones((2, 2)))
    optimizer = LARS(0.5, momentum=0.0)
    optimizer.apply([tf.ones((2, 2)), tf.zeros((2, 2))], [zero, still])
    np.testing.assert_allclose(zero, tf.fill((2, 2), -0.5))
    np.testing.assert_array_equal(still, tf.ones((2, 2)))


def test_a_bias_with_two_dimensions_is_adapted_but_not_decayed():
    bias = keras.Variable(tf.fill((2, 2), 2.0), name="bias")
    optimizer = LARS(1.0, weight_decay=100.0, momentum=0.0, trust_coefficient=0.1)
    optimizer.apply([tf.ones((2, 2))], [bias])
    np.testing.assert_allclose(bias, tf.fill((2, 2), 1.8), rtol=1e-6)
