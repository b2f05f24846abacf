import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers.position_embedding import PositionEmbedding, bicubic_weights

# The golden arrays of the resized embeddings are in tests/backbones/test_vision_transformer.py.


def slow_weights(target, size, a=-0.75):
    """Row by row and tap by tap, in float64."""
    weights = np.zeros((target, size))
    for i in range(target):
        source = (i + 0.5) / ((target + 0.1) / size) - 0.5
        first = int(np.floor(source))
        for tap in range(first - 1, first + 3):
            x = abs(source - tap)
            if x <= 1:
                weight = (a + 2) * x**3 - (a + 3) * x**2 + 1
            else:
                weight = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
            weights[i, min(max(tap, 0), size - 1)] += weight
    return weights


@pytest.mark.parametrize(("target", "size"), [(1, 1), (6, 14), (14, 14), (37, 14), (3, 1)])
def test_weights_equal_the_slow_ones(target, size):
    weights = bicubic_weights(target, size, as_stored=False)
    np.testing.assert_allclose(weights, slow_weights(target, size), atol=2e-5)
    np.testing.assert_allclose(np.sum(weights, axis=1), 1.0, atol=1e-5)
    unknown = bicubic_weights(tf.constant(target), size, as_stored=tf.constant(False))
    np.testing.assert_array_equal(unknown, weights)


def built(grid_size=3, dim=4, **kwargs):
    layer = PositionEmbedding(grid_size, **kwargs)
    layer.build((None, None, None, dim))
    return layer


def test_class_token_comes_first_and_positions_are_added():
    layer = built()
    patches = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype("float32")
    tokens = np.asarray(layer(patches)) - layer.embedding
    np.testing.assert_allclose(tokens[:, :1], np.tile(layer.class_token, (2, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(tokens[:, 1:], patches.reshape(2, 9, 4), atol=1e-6)


def test_training_grid_is_used_as_it_is():
    layer = built()
    np.testing.assert_array_equal(layer.resized(3, 3), layer.embedding)
    unknown = layer.resized(tf.constant(3), tf.constant(3))
    np.testing.assert_allclose(unknown, layer.embedding, atol=1e-7)


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (1, 9), (2, 2)])
def test_rows_and_columns_are_resized_each_by_itself(rows, columns):
    layer = built()
    grid = np.asarray(layer.embedding)[0, 1:].reshape(3, 3, 4)
    weights = slow_weights(rows, 3), slow_weights(columns, 3)
    expected = np.einsum("rg,ch,ghd->rcd", *weights, grid)
    resized = layer.resized(rows, columns)
    np.testing.assert_allclose(resized[0, 1:], expected.reshape(-1, 4), atol=1e-6)
    np.testing.assert_array_equal(resized[:, :1], layer.embedding[:, :1])


def test_gradient_reaches_the_embedding():
    layer = built()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer.resized(2, 4)[0, 1:, 0])
    gradient = tape.gradient(loss, layer.embedding.value)[0, 1:, 0]
    column_sums = [slow_weights(n, 3).sum(axis=0) for n in (2, 4)]
    np.testing.assert_allclose(gradient, np.outer(*column_sums).ravel(), atol=1e-5)


def test_is_resized_in_float32_in_half_precision():
    layer, reference = built(dtype="mixed_bfloat16"), built()
    layer.set_weights(reference.get_weights())
    np.testing.assert_array_equal(layer.resized(5, 4), reference.resized(5, 4))
    assert layer(np.zeros((1, 5, 4, 4), "float32")).dtype == "bfloat16"


def test_config_round_trip():
    layer = built(grid_size=5, name="mine")
    twin = PositionEmbedding.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert twin.grid_size == 5


def test_symbolic_shapes():
    layer = built()
    assert layer(keras.Input((None, None, 4))).shape == (None, None, 4)
    assert layer(keras.Input((2, 5, 4))).shape == (None, 11, 4)
