import keras
import numpy as np
import pytest

from keras_adasim.layers.residual_block import ResidualBlock


def maps(channels=8):
    return np.random.default_rng(0).normal(size=(2, 6, 5, channels)).astype("float32")


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("strides", [1, 2])
def test_is_shortcut_plus_branch(bottleneck, strides):
    block, x = ResidualBlock(3, strides, bottleneck), maps()
    outputs = block(x)
    assert len(block.convolutions) == 3 if bottleneck else 2
    branch = x
    for i, (convolution, norm) in enumerate(
        zip(block.convolutions, block.batch_norms, strict=True), start=1
    ):
        branch = norm(convolution(branch))
        if i < len(block.convolutions):
            branch = keras.ops.relu(branch)
    shortcut = block.projection_norm(block.projection(x))
    np.testing.assert_allclose(outputs, np.maximum(shortcut + branch, 0), atol=1e-6)
    assert outputs.shape == block.compute_output_shape(x.shape)
    # Version 1.5: the stride is in the 3x3 convolution.
    assert next(c.strides[0] for c in block.convolutions if c.kernel_size == (3, 3)) == strides
    assert all(c.strides == (1, 1) for c in block.convolutions if c.kernel_size == (1, 1))


@pytest.mark.parametrize(("block", "channels"), [((8,), 8), ((2, 1, True), 8)])
def test_shortcut_is_the_input_where_shapes_agree(block, channels):
    block = ResidualBlock(*block)
    block.build((None, None, None, channels))
    assert block.projection is None
    assert not any("downsample" in name for name in block.torch_names())


def test_zero_start_is_the_identity():
    block, x = ResidualBlock(2, bottleneck=True, zero_init_residual=True), maps()
    np.testing.assert_array_equal(block(x), np.maximum(x, 0))
    assert np.any(ResidualBlock(2, bottleneck=True)(x) != np.maximum(x, 0))


def test_batch_norm_is_pytorchs_and_synchronized():
    block = ResidualBlock(4, 2)
    block.build((None, None, None, 8))
    for norm in (*block.batch_norms, block.projection_norm):
        assert (norm.momentum, norm.epsilon, norm.synchronized) == (0.9, 1e-5, True)


def test_training_uses_the_batch():
    block, x = ResidualBlock(4), maps()
    assert np.any(block(x, training=True) != block(x, training=False))


def test_config_round_trip():
    block = ResidualBlock(4, 2, True, True, name="mine", dtype="mixed_bfloat16")
    twin = ResidualBlock.from_config(block.get_config())
    assert twin.get_config() == block.get_config()
    assert (twin.filters, twin.strides, twin.bottleneck, twin.zero_init_residual) == (
        4,
        2,
        True,
        True,
    )
