import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers.patch_merging import PatchMerging


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 3), (1, 1)])
def test_joins_two_by_two_tokens(height, width):
    tokens = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype("float32")
    layer = PatchMerging()
    outputs = layer(tokens)
    padded = np.pad(tokens, [(0, 0), (0, height % 2), (0, width % 2), (0, 0)])
    rows, columns = (side // 2 for side in padded.shape[1:3])
    assert outputs.shape == layer.compute_output_shape(tokens.shape) == (2, rows, columns, 6)
    for i, j in np.ndindex(rows, columns):
        square = padded[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        joined = np.concatenate(
            [square[:, 0, 0], square[:, 1, 0], square[:, 0, 1], square[:, 1, 1]], axis=1
        )
        expected = layer.norm(joined) @ layer.reduction.kernel
        np.testing.assert_allclose(outputs[:, i, j], expected, atol=1e-6)
    graph = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(graph(tokens), outputs, atol=1e-6)


def test_config_and_symbolic_shapes():
    layer = PatchMerging(name="mine", dtype="mixed_bfloat16")
    assert PatchMerging.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer(keras.Input((None, 5, 4))).shape == (None, None, 3, 8)
