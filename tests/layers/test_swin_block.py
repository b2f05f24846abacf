import keras
import numpy as np

from keras_adasim.layers.swin_block import SwinBlock
from keras_adasim.layers.window_attention import WindowAttention


def tokens(batch=2):
    return np.random.default_rng(0).normal(size=(batch, 5, 7, 12)).astype("float32")


def test_is_two_residual_branches():
    block, x = SwinBlock(3, window_size=4, shift=2, mlp_ratio=2.5), tokens()
    outputs = block(x)
    assert isinstance(block.attention, WindowAttention)
    assert (block.attention.window_size, block.attention.shift) == (4, 2)
    middle = x + block.attention(block.attention_norm(x))
    hidden = keras.activations.gelu(block.mlp_hidden(block.mlp_norm(middle)), approximate=False)
    np.testing.assert_allclose(outputs, middle + block.mlp_output(hidden), atol=1e-6)


def test_drop_path_leaves_whole_images_out():
    block, x = SwinBlock(3, 4, drop_path_rate=0.5), tokens(64)
    untouched = np.all(np.asarray(block(x, training=True)) == x, axis=(1, 2, 3))
    # Both branches are left out with probability 1/4, each draw by itself.
    assert 4 <= untouched.sum() <= 30


def test_config_round_trip():
    block = SwinBlock(3, 4, 1, mlp_ratio=2, drop_path_rate=0.1, name="mine")
    twin = SwinBlock.from_config(block.get_config())
    assert twin.get_config() == block.get_config()
    assert (twin.num_heads, twin.window_size, twin.shift) == (3, 4, 1)
    assert (twin.mlp_ratio, twin.drop_path_rate) == (2, 0.1)
