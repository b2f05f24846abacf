import keras
import numpy as np
import pytest

from keras_adasim.layers.patch_embedding import PatchEmbedding


def test_equals_a_convolution():
    images = np.random.default_rng(0).normal(size=(2, 12, 20, 3)).astype("float32")
    layer = PatchEmbedding(4, 5)
    layer.build(images.shape)
    layer.bias.assign(np.arange(5.0))
    expected = keras.ops.conv(images, layer.kernel, strides=4) + layer.bias
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)


def test_config_round_trip():
    layer = PatchEmbedding(4, 5, name="mine", dtype="mixed_bfloat16")
    twin = PatchEmbedding.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert (twin.patch_size, twin.embed_dim) == (4, 5)


def test_symbolic_shapes():
    layer = PatchEmbedding(4, 5)
    assert layer(keras.Input((None, None, 3))).shape == (None, None, None, 5)
    assert layer(keras.Input((8, 12, 3))).shape == (None, 2, 3, 5)


def test_refuses_sizes_that_the_patch_does_not_divide():
    with pytest.raises(ValueError, match=r"patch_size=4.*crop.*Received: height=8, width=10"):
        PatchEmbedding(4, 5)(np.zeros((1, 8, 10, 3), "float32"))
