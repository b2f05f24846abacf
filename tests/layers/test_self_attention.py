import numpy as np
import pytest

from keras_adasim.layers.self_attention import SelfAttention


def tokens(batch=2, length=5, dim=12):
    return np.random.default_rng(0).normal(size=(batch, length, dim)).astype("float32")


def built(num_heads, **kwargs):
    layer = SelfAttention(num_heads, **kwargs)
    layer.build((None, None, 12))
    # Larger than they start, so that the softmax is far from uniform.
    layer.qkv.kernel.assign(layer.qkv.kernel * 20)
    layer.qkv.bias.assign(np.linspace(-1, 1, 36))
    return layer


def slow_attention(layer, x):
    """Image by image, head by head."""
    qkv = x @ np.asarray(layer.qkv.kernel) + layer.qkv.bias
    query, key, value = np.split(qkv, 3, axis=-1)
    size = 12 // layer.num_heads
    outputs, weights = np.zeros_like(x), []
    for b in range(len(x)):
        for h in range(layer.num_heads):
            part = slice(h * size, (h + 1) * size)
            scores = np.exp(query[b, :, part] @ key[b, :, part].T / np.sqrt(size))
            weights.append(scores / scores.sum(axis=1, keepdims=True))
            outputs[b, :, part] = weights[-1] @ value[b, :, part]
    outputs = outputs @ np.asarray(layer.projection.kernel) + layer.projection.bias
    return outputs, np.reshape(weights, (len(x), layer.num_heads, x.shape[1], x.shape[1]))


@pytest.mark.parametrize("num_heads", [1, 3])
def test_equals_slow_attention(num_heads):
    layer, x = built(num_heads), tokens()
    outputs, weights = slow_attention(layer, x)
    np.testing.assert_allclose(layer(x), outputs, atol=1e-5)
    np.testing.assert_allclose(layer.attention_weights(x), weights, atol=1e-5)


def test_half_precision_keeps_the_softmax_in_float32():
    layer, reference = built(3, dtype="mixed_float16"), built(3)
    layer.set_weights(reference.get_weights())
    assert layer(tokens()).dtype == "float16"
    weights = layer.attention_weights(tokens())
    assert weights.dtype == "float32"
    np.testing.assert_allclose(weights, reference.attention_weights(tokens()), atol=0.01)


def test_config_round_trip():
    layer = SelfAttention(3, name="mine")
    twin = SelfAttention.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert twin.num_heads == 3


def test_refuses_heads_that_do_not_divide_the_token():
    with pytest.raises(ValueError, match=r"`num_heads`.*num_heads=5 for tokens of size 12"):
        SelfAttention(5)(tokens())
