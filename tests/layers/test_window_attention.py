import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers.window_attention import WindowAttention


def tokens(height, width, dim=6):
    return np.random.default_rng(0).normal(size=(2, height, width, dim)).astype("float32")


def built(window_size, shift, **kwargs):
    layer = WindowAttention(2, window_size, shift, **kwargs)
    layer.build((None, None, None, 6))
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def slow_attention(layer, x):
    """Token by token: who is in my displaced window, and what does each of them say?"""
    size, shift = layer.window_size, layer.shift
    height, width = x.shape[1:3]
    padded = [-(-side // size) * size for side in (height, width)]
    full = np.zeros((len(x), *padded, x.shape[-1]), "float32")
    full[:, :height, :width] = x
    qkv = full @ np.asarray(layer.attention.qkv.kernel) + layer.attention.qkv.bias
    query, key, value = np.split(qkv.reshape(*qkv.shape[:3], 6, 3), 3, axis=3)
    table = np.asarray(layer.position_bias).reshape(2 * size - 1, 2 * size - 1, 2)
    mixed = np.zeros((len(x), *padded, 2, 3))
    # Windows begin at multiples of the size, `shift` further on; the last one wraps around, and
    # the part of it behind the edge is a window of its own.
    number = [np.floor((np.arange(side) - shift) / size).astype(int) for side in padded]
    for i, j in np.ndindex(*padded):
        rows = np.flatnonzero(number[0] == number[0][i])
        columns = np.flatnonzero(number[1] == number[1][j])
        near = np.ix_(range(len(x)), rows, columns)
        bias = table[i - rows[:, None] + size - 1, j - columns[None] + size - 1]
        scores = np.einsum("bhd,brchd->bhrc", query[:, i, j], key[near]) / np.sqrt(3)
        scores = np.exp(scores + np.transpose(bias, (2, 0, 1)))
        weights = scores / scores.sum(axis=(2, 3), keepdims=True)
        mixed[:, i, j] = np.einsum("bhrc,brchd->bhd", weights, value[near])
    projection = layer.attention.projection
    outputs = mixed.reshape(len(x), *padded, 6) @ np.asarray(projection.kernel) + projection.bias
    return outputs[:, :height, :width]


@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("shape", [(6, 9), (7, 4), (3, 3), (2, 1)])
def test_equals_slow_attention(shape, shift):
    layer, x = built(3, shift), tokens(*shape)
    expected = slow_attention(layer, x)
    np.testing.assert_allclose(layer(x), expected, atol=2e-5)
    graph = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 6))])
    np.testing.assert_allclose(graph(x), expected, atol=2e-5)


def test_gradient_of_the_bias_is_a_tensor():
    # A gather along the first axis gives slices, which replicas can't add up.
    layer = built(3, 1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tokens(6, 6)) ** 2)
    gradient = tape.gradient(loss, layer.position_bias.value)
    assert isinstance(gradient, tf.Tensor)
    assert np.all(np.any(np.asarray(gradient), axis=1))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_bias_stays_float32_in_half_precision(policy):
    layer, reference, x = built(3, 1, dtype=policy), built(3, 1), tokens(6, 6)
    outputs = layer(x)
    assert outputs.dtype == layer.compute_dtype
    # Added to half precision's scores, a bias of 300 would swallow them.
    for each in (layer, reference):
        each.position_bias.assign(each.position_bias + 300.0)
    np.testing.assert_allclose(tf.cast(layer(x), "float32"), reference(x), atol=0.3)


def test_config_round_trip():
    layer = WindowAttention(2, 5, 2, name="mine")
    twin = WindowAttention.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert (twin.num_heads, twin.window_size, twin.shift) == (2, 5, 2)
    assert layer(keras.Input((None, None, 6))).shape == (None, None, None, 6)


@pytest.mark.parametrize("shift", [-1, 4])
def test_refuses_shifts_of_a_window_or_more(shift):
    with pytest.raises(ValueError, match=f"Expected `shift`.*Received: shift={shift}"):
        WindowAttention(2, 4, shift)
