"""Projectors and predictors, against NumPy."""

import keras
import numpy as np
import pytest

from keras_adasim.layers import MLPHead


def inputs(batch=8, dim=5):
    return np.random.default_rng(0).normal(2.0, 3.0, size=(batch, dim)).astype("float32")


def slow(head, x):
    """Dense, batch norm, ReLU, ..., dense(, batch norm) in float64, in training mode."""
    x = x.astype("float64")
    for i, dense in enumerate(head.dense_layers):
        x = x @ dense.kernel.numpy()
        if dense.use_bias:
            x = x + dense.bias.numpy()
        if i < len(head.batch_norms):
            norm = head.batch_norms[i]
            x = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)
            if norm.scale:
                x = x * norm.gamma.numpy() + norm.beta.numpy()
        if i < head.num_layers - 1:
            x = np.maximum(x, 0)
    return x


@pytest.mark.parametrize("last_norm", ["none", "plain", "affine"])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_equals_the_definition(num_layers, last_norm):
    head = MLPHead(4, 7, num_layers, last_norm, use_bias=True)
    head.build((None, 5))
    rng = np.random.default_rng(1)
    head.set_weights([rng.uniform(0.5, 1.5, size=w.shape) for w in head.weights])
    expected = slow(head, inputs())
    np.testing.assert_allclose(head(inputs(), training=True), expected, atol=1e-4)
    assert len(head.batch_norms) == num_layers - (last_norm == "none")


def test_the_only_bias_is_that_of_an_output_without_normalization():
    for last_norm, use_bias, expected in (
        ("none", True, [False, False, True]),
        ("none", False, [False, False, False]),
        ("affine", True, [False, False, False]),
    ):
        head = MLPHead(4, 7, 3, last_norm, use_bias)
        head.build((None, 5))
        assert [dense.use_bias for dense in head.dense_layers] == expected


def test_plain_normalization_has_no_parameters():
    head = MLPHead(4, 7, 2, "plain")
    head.build((None, 5))
    first, last = head.batch_norms
    assert len(first.trainable_variables) == 2
    assert not last.trainable_variables
    assert first.synchronized
    assert last.synchronized


def test_weights_start_as_pytorch_leaves_them():
    head = MLPHead(200, 100, 2, use_bias=True)
    head.build((None, 400))
    for dense, fan_in in zip(head.dense_layers, (400, 100), strict=True):
        kernel = dense.kernel.numpy()
        assert 0.95 * fan_in**-0.5 < np.abs(kernel).max() <= fan_in**-0.5
    assert np.abs(head.dense_layers[1].bias.numpy()).max() > 0


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    head, reference = MLPHead(4, 7, dtype=policy), MLPHead(4, 7)
    expected = reference(inputs(), training=True)
    head.build((None, 5))
    head.set_weights(reference.get_weights())
    outputs = head(inputs(), training=True)
    assert outputs.dtype == "float32"
    assert {w.dtype for w in head.weights} == {"float32"}
    np.testing.assert_allclose(outputs, expected, atol=0.05)


def test_config_and_saving_round_trip(tmp_path):
    head = MLPHead(4, 7, 3, "affine", True, name="mine")
    config = head.get_config()
    twin = MLPHead.from_config(config)
    assert twin.get_config() == config
    model = keras.Sequential([keras.Input((5,)), head])
    head(inputs(), training=True)
    model.save(tmp_path / "head.keras")
    loaded = keras.models.load_model(tmp_path / "head.keras")
    np.testing.assert_array_equal(loaded(inputs()), head(inputs()))


@pytest.mark.parametrize("name", ["out_dim", "hidden_dim", "num_layers"])
@pytest.mark.parametrize("value", [0, 1.5])
def test_refuses_sizes_that_are_no_positive_integer(name, value):
    with pytest.raises(ValueError, match=f"Expected `{name}`.*Received: {name}={value}"):
        MLPHead(**{"out_dim": 10, "hidden_dim": 4, name: value})


def test_refuses_other_normalizations():
    with pytest.raises(ValueError, match=r"Expected `last_norm`.*Received: last_norm='batch'"):
        MLPHead(10, 4, last_norm="batch")
