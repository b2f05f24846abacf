import keras
import numpy as np

from keras_adasim.layers.transformer_block import TransformerBlock


def tokens(batch=2):
    return np.random.default_rng(0).normal(size=(batch, 5, 12)).astype("float32")


def test_is_two_residual_branches():
    block, x = TransformerBlock(3, mlp_ratio=2.5), tokens()
    outputs = block(x)
    assert block.mlp_hidden.units == 30
    middle = x + block.attention(block.attention_norm(x))
    hidden = keras.activations.gelu(block.mlp_hidden(block.mlp_norm(middle)), approximate=False)
    np.testing.assert_allclose(outputs, middle + block.mlp_output(hidden), atol=1e-6)
    expected = block.attention.attention_weights(block.attention_norm(x))
    np.testing.assert_array_equal(block.attention_weights(x), expected)


def test_drop_path_leaves_both_branches_out():
    block, x = TransformerBlock(3, drop_path_rate=0.5), tokens(64)
    outputs = np.asarray(block(x, training=True))
    untouched = np.all(outputs == x, axis=(1, 2))
    # Both branches are left out with probability 1/4, each draw by itself.
    assert 4 <= untouched.sum() <= 30


def test_config_round_trip():
    block = TransformerBlock(3, mlp_ratio=2, drop_path_rate=0.1, name="mine")
    twin = TransformerBlock.from_config(block.get_config())
    assert twin.get_config() == block.get_config()
    assert (twin.num_heads, twin.mlp_ratio, twin.drop_path_rate) == (3, 2, 0.1)
