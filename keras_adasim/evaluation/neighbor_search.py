"""The nearest ones of many features, in chunks."""

import contextlib

import numpy as np
import tensorflow as tf

from keras_adasim.layers.nearest_rows import nearest_rows

# Rows of the table compared at a time, and similarities held at a time; 16 MiB of float32.
ROWS = 2**13
CHUNK = 2**22


def find_neighbors(queries, table, k, leave_out_self=False):
    """Finds the k rows of a table with the largest cosine similarity to each query.

    Args:
        queries: Float32 (n, D), rows of length 1 or 0, like the others.
        table: Float32 (N, D).
        k: Number of neighbors, at most N, or N - 1 without the query itself.
        leave_out_self: Whether the queries are the table's rows, and none its own neighbor.

    Returns:
        Tuple of NumPy arrays (n, k), int64 ids and float32 cosines, most similar first; of equal
        ones the smaller id.

    Example:
        ```python
        features = np.eye(4, dtype=np.float32)
        search = ka.evaluation.neighbor_search.find_neighbors
        ids, cosines = search(features, features, 2, leave_out_self=True)
        ```
    """
    wanted = k + 1 if leave_out_self else k
    queries, table = tf.convert_to_tensor(queries), tf.convert_to_tensor(table)
    size = max(1, CHUNK // min(len(table), ROWS))
    parts = []
    with full_precision():
        for start in range(0, len(queries), size):
            ids, cosines = nearest_rows(queries[start : start + size], table, wanted, ROWS)
            ids, cosines = ids.numpy(), cosines.numpy()
            if leave_out_self:
                ids, cosines = _without(np.arange(start, start + len(ids)), ids, cosines)
            parts.append((ids, cosines))
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


@contextlib.contextmanager
def full_precision():
    """Leaves TensorFloat-32, whose ten bits swap near neighbors, out of the products."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(enabled)


def _without(own, ids, cosines):
    """Takes each query itself out of its neighbors, or the last one where it isn't there."""
    is_own = ids == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    shape = len(ids), ids.shape[1] - 1
    return ids[~is_own].reshape(shape), cosines[~is_own].reshape(shape)
