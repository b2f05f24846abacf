import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers import DropPath


def test_drops_whole_samples_and_keeps_the_mean():
    layer = DropPath(0.3, seed=1)
    outputs = np.asarray(layer(np.ones((4000, 2, 3), "float32"), training=True))
    kept = outputs[:, 0, 0] > 0
    np.testing.assert_array_equal(outputs[~kept], 0.0)
    np.testing.assert_allclose(outputs[kept], 1 / 0.7, rtol=1e-6)
    # Standard deviation of the share: 0.007.
    assert kept.mean() == pytest.approx(0.7, abs=0.03)


def test_every_call_draws_anew():
    layer = DropPath(0.5, seed=1)
    inputs = np.ones((64, 1), "float32")
    assert np.any(layer(inputs, training=True) != layer(inputs, training=True))


@pytest.mark.parametrize("arguments", [{"training": False}, {}])
def test_does_nothing_outside_training(arguments):
    inputs = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    np.testing.assert_array_equal(DropPath(0.9)(inputs, **arguments), inputs)


def test_rate_can_be_set_to_zero_later():
    layer = DropPath(0.9)
    layer.rate = 0.0
    np.testing.assert_array_equal(layer(np.ones((8, 3)), training=True), np.ones((8, 3)))


def test_config_round_trip():
    layer = DropPath(0.25, seed=7, name="mine", dtype="mixed_bfloat16")
    config = layer.get_config()
    assert (config["rate"], config["seed"]) == (0.25, 7)
    twin = DropPath.from_config(config)
    assert twin.get_config() == config
    inputs = np.ones((32, 2), "float32")
    expected = layer(inputs, training=True)
    assert expected.dtype == "bfloat16"
    np.testing.assert_array_equal(twin(inputs, training=True), expected)


def test_random_state_is_saved(tmp_path):
    def build():
        return keras.Sequential([keras.Input((1,)), DropPath(0.5)])

    model, other, inputs = build(), build(), np.ones((64, 1), "float32")
    model(inputs, training=True)
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other(inputs, training=True), model(inputs, training=True))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_replicas_draw_differently_and_states_stay_equal(two_replicas, jit_compile):
    with two_replicas.scope():
        layer = DropPath(0.5, seed=3)
    inputs = tf.ones((64, 1))
    drop = tf.function(lambda: layer(inputs, training=True), jit_compile=jit_compile)
    # The compiled function inside another one, as in the training step.
    step = tf.function(lambda: two_replicas.run(lambda: drop()), autograph=False)
    first, second = step().values
    assert np.any(first != second)
    states = [np.asarray(copy) for copy in layer.seed_generator.state.value.values]
    np.testing.assert_array_equal(states, [[3, 1], [3, 1]])


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
def test_refuses_rates_that_are_no_probability(rate):
    with pytest.raises(ValueError, match=f"Expected `rate`.*Received: rate={rate}"):
        DropPath(rate)
