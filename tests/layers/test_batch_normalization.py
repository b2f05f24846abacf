"""Batch normalization: exact statistics, the same on one device and on two."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers.batch_normalization import BatchNormalization


def features(mean, shape=(8, 5)):
    """Features that differ little: their mean is a hundred times their spread or more."""
    values = np.random.default_rng(0).normal(size=shape)
    return (mean + values).astype("float32")


def exact(x, epsilon):
    x = x.astype("float64")
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon)


@pytest.mark.parametrize("shape", [(8, 5), (4, 3, 2, 5)])
@pytest.mark.parametrize("mean", [0.0, 300.0])
def test_statistics_are_exact(mean, shape):
    """Keras' synchronized layer was off by 1e-2 here, on one device too."""
    layer = BatchNormalization(epsilon=1e-5, momentum=0.0)
    x = features(mean, shape)
    np.testing.assert_allclose(layer(x, training=True), exact(x, 1e-5), atol=2e-4)
    axes = tuple(range(x.ndim - 1))
    np.testing.assert_allclose(layer.moving_mean, x.mean(axes), rtol=1e-5)
    unbiased = x.astype("float64").var(axes, ddof=1)
    np.testing.assert_allclose(layer.moving_variance, unbiased, rtol=1e-4)


def gradient_and_output(layer, x, weights):
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=True)
        loss = tf.reduce_sum(weights * outputs)
    return tape.gradient(loss, x), outputs


@pytest.mark.parametrize("shares", [(4, 4), (6, 2)])
def test_two_replicas_equal_one_device(two_replicas, shares):
    x, weights = features(20.0), features(0.0)
    one = BatchNormalization(momentum=0.5)
    expected = gradient_and_output(one, tf.constant(x), tf.constant(weights))
    with two_replicas.scope():
        two = BatchNormalization(momentum=0.5)
        two.build(x.shape)

    def part(values):
        ends = (slice(0, shares[0]), slice(shares[0], None))
        return two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.constant(values[ends[context.replica_id_in_sync_group]])
        )

    results = two_replicas.run(
        lambda a, b: gradient_and_output(two, a, b), args=(part(x), part(weights))
    )
    for wanted, found in zip(expected, results, strict=True):
        joined = np.concatenate(two_replicas.experimental_local_results(found))
        np.testing.assert_allclose(joined, wanted, atol=1e-5)
    for variable, wanted in zip(two.non_trainable_weights, one.non_trainable_weights, strict=True):
        copies = [copy.numpy() for copy in variable.value.values]
        np.testing.assert_array_equal(*copies)
        np.testing.assert_allclose(copies[0], wanted, rtol=1e-6)


def test_config_round_trip_and_inference():
    layer = BatchNormalization(synchronized=False, momentum=0.8, scale=False, name="norm")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert isinstance(twin, BatchNormalization)
    assert twin.get_config() == layer.get_config()
    x = features(3.0)
    np.testing.assert_allclose(layer(x), x / np.sqrt(1.001), rtol=1e-5)
    np.testing.assert_allclose(layer(x, training=True), exact(x, 1e-3), atol=1e-4)
