"""The nearest rows, in one product and in chunks."""

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers.nearest_rows import nearest_rows
from keras_adasim.layers.preprocessing import l2_normalize


@pytest.mark.parametrize("jit_compile", [False, True])
def test_chunks_find_what_one_product_finds(jit_compile):
    features = l2_normalize(np.random.default_rng(0).normal(size=(50, 4)).astype("float32"))
    # Negative similarities, ties between equal rows, and rows never written.
    table = tf.concat([-features[:20], features[20:40] * 0, features[40:]], 0)
    find = tf.function(nearest_rows, jit_compile=jit_compile)
    first, *others = (find(features, table, 6, chunk_size=size) for size in (50, 8, 5))
    for ids, similarities in others:
        np.testing.assert_array_equal(ids, first[0])
        np.testing.assert_allclose(similarities, first[1], atol=1e-6)


@pytest.mark.parametrize("chunk_size", [12, 5])
def test_ties_go_to_the_smaller_id(chunk_size):
    ids, similarities = nearest_rows(tf.constant([[1.0, 0.0]]), tf.zeros((12, 2)), 5, chunk_size)
    np.testing.assert_array_equal(ids, [[0, 1, 2, 3, 4]])
    np.testing.assert_array_equal(similarities, np.zeros((1, 5)))


@pytest.mark.parametrize("chunk_size", [12, 5])
def test_rows_beyond_those_that_count_are_not_found(chunk_size):
    rng = np.random.default_rng(0)
    queries, table = (l2_normalize(rng.normal(size=(n, 4)).astype("float32")) for n in (3, 12))
    for count in (12, 7, 4):
        found = nearest_rows(queries, table, 4, chunk_size, num_rows=tf.constant(count))
        for ours, theirs in zip(found, nearest_rows(queries, table[:count], 4), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
    # Where they are too few, what stands in is below all similarities that there are.
    _, similarities = nearest_rows(queries, table, 4, chunk_size, num_rows=3)
    np.testing.assert_array_equal(similarities < -1, [[False] * 3 + [True]] * 3)


def test_products_with_half_precision_rows_are_float32():
    rng = np.random.default_rng(0)
    queries, table = (l2_normalize(rng.normal(size=(n, 384)).astype("float32")) for n in (4, 50))
    half = tf.cast(table, tf.float16)
    _, similarities = nearest_rows(queries, half, 5)
    exact = np.sort(queries.numpy().astype(float) @ half.numpy().astype(float).T)[:, :-6:-1]
    np.testing.assert_allclose(similarities, exact, atol=1e-6)


def test_working_memory_does_not_grow_with_the_table():
    """No intermediate tensor of the look-up has N entries: a variable isn't read as a whole."""
    table = tf.Variable(tf.zeros((1000, 4)))
    find = tf.function(lambda queries: nearest_rows(queries, table, 3, chunk_size=64))
    graph = find.get_concrete_function(tf.TensorSpec((5, 4))).graph
    graphs = [graph, *(f.graph for f in graph._functions.values() if hasattr(f, "graph"))]
    shapes = {
        tuple(out.shape.as_list())
        for graph in graphs
        for op in graph.get_operations()
        for out in op.outputs
        if out.shape.rank
    }
    assert (5, 64) in shapes
    assert not [shape for shape in shapes if 1000 in shape]
