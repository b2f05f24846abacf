import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.optimizers import AdamW


def slow_adamw(value, gradients, learning_rate, weight_decay, epsilon=1e-8):
    """AdamW as PyTorch documents it, in float64."""
    first = second = 0.0
    for count, gradient in enumerate(gradients, start=1):
        value = value - learning_rate * weight_decay * value
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = np.sqrt(second / (1 - 0.999**count)) + epsilon
        value = value - learning_rate * first / (1 - 0.9**count) / corrected
    return value


@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_equals_the_definition(scale):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 4)), scale * rng.normal(size=(20, 3, 4))
    variable = keras.Variable(start.astype(np.float32))
    optimizer = AdamW(0.01, weight_decay=0.1)
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
    np.testing.assert_allclose(variable, slow_adamw(start, gradients, 0.01, 0.1), atol=1e-5)


def test_epsilon_follows_the_bias_correction():
    """Keras adds it to the uncorrected moment, which makes the first small steps much smaller."""
    ours, keras_own = keras.Variable([0.0]), keras.Variable([0.0])
    gradient = tf.constant([1e-8])
    AdamW(0.1, weight_decay=0.0).apply([gradient], [ours])
    keras.optimizers.AdamW(0.1, weight_decay=0.0, epsilon=1e-8).apply([gradient], [keras_own])
    np.testing.assert_allclose(ours, [-0.05], rtol=1e-4)
    assert abs(float(keras_own[0])) < 0.01


def test_each_variable_counts_its_own_steps(golden):
    _, scalars = golden("clip_and_optimizer")
    counts = scalars["adamw_internal_step_count_at_end_when_frozen_one_epoch"]
    variables = {name: keras.Variable([1.0]) for name in counts}
    optimizer = AdamW(0.1)
    optimizer.build(list(variables.values()))
    for step in range(5):
        trained = [v for n, v in variables.items() if step >= 2 or "last_layer" not in n]
        optimizer.apply([tf.ones(1)] * len(trained), trained)
    for slots, name in zip(optimizer._slots, counts, strict=True):
        assert slots[2].dtype == "int64"
        assert slots[2] == counts[name]
    # A late first step is as long as any first step; one count for all would make it differ.
    np.testing.assert_allclose(
        variables["last_layer.weight_v"], slow_adamw(1.0, [np.ones(1)] * 3, 0.1, 0.0), rtol=1e-5
    )
