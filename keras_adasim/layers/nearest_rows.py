"""The nearest rows of a large table."""

import tensorflow as tf


def rows_at_a_time():
    """Rows that are compared together: many on a GPU, and what fits a processor's caches."""
    return 65536 if tf.config.list_physical_devices("GPU") else 8192


def nearest_rows(queries, table, topk, chunk_size=None, num_rows=None):
    """Finds the rows of a table that are most similar to each query.

    It walks through the table in chunks of rows and keeps the best so far, so its working memory is
    B * (chunk_size + 2 * topk) floats and a chunk of rows, whatever the size of the table. Products
    are float32, whatever the rows are. Ties go to the smaller id.

    Args:
        queries: Float32 (B, D), L2-normalized.
        table: Float32 or float16 variable or tensor (N, D), rows L2-normalized or zero. Outside
            XLA a variable whose rows are written in place should come as such: as a tensor it is
            copied whole.
        topk: Number k of rows to find, at most N.
        chunk_size: Number of rows compared at a time; None for `rows_at_a_time()`.
        num_rows: Integer scalar. Only so many rows count, the first ones; None for all. Where they
            are fewer than k, what is found beyond them has a similarity below -1.

    Returns:
        Tuple (ids, similarities), int64 and float32 (B, k), most similar first.
    """
    size, chunk_size = table.shape[0], chunk_size or rows_at_a_time()

    def find(start, count):
        """The best of some rows: similarities and ids (B, at most k)."""
        ids = tf.range(count) + start
        if isinstance(table, tf.Variable):
            rows = tf.gather(table, ids)
        else:
            rows = tf.slice(table, [start, 0], [count, table.shape[1]])
        # In this order a processor needs down to half the time, transposing included.
        products = tf.transpose(tf.matmul(tf.cast(rows, tf.float32), queries, transpose_b=True))
        if num_rows is not None:
            products = tf.where(ids < num_rows, products, -2.0)
        best, places = tf.math.top_k(products, min(topk, count))
        return best, places + start

    def compare(number, best, ids):
        found, places = find(number * chunk_size, chunk_size)
        # Older, smaller ids come first, so that ties go to them.
        return number + 1, *_merged([best, found], [ids, places], topk)

    if size <= chunk_size:
        best, ids = find(0, size)
        return tf.cast(ids, tf.int64), best
    chunks, rest = divmod(size, chunk_size)
    batch = tf.shape(queries)[0]
    nothing = tf.fill((batch, topk), -3.0), tf.zeros((batch, topk), tf.int32)
    _, best, ids = tf.while_loop(
        lambda number, *_: number < chunks,
        compare,
        (tf.constant(0), *nothing),
        maximum_iterations=chunks,
        parallel_iterations=1,
    )
    if rest:
        found, places = find(chunks * chunk_size, rest)
        best, ids = _merged([best, found], [ids, places], topk)
    return tf.cast(ids, tf.int64), best


def _merged(similarities, ids, topk):
    """The best of two lists of neighbors; of equals the first."""
    best, places = tf.math.top_k(tf.concat(similarities, axis=1), topk)
    return best, tf.gather(tf.concat(ids, axis=1), places, batch_dims=1)
