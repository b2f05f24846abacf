"""The nearest rows of a large table."""

import tensorflow as tf


def nearest_rows(queries, table, topk, chunk_size=65536, num_rows=None):
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
        chunk_size: Number of rows compared at a time.
        num_rows: Integer scalar. Only so many rows count, the first ones; None for all. Where they
            are fewer than k, what is found beyond them has a similarity below -1.

    Returns:
        Tuple (ids, similarities), int64 and float32 (B, k), most similar first.
    """
    size = table.shape[0]

    def compare(rows, ignored):
        products = tf.matmul(queries, tf.cast(rows, tf.float32), transpose_b=True)
        return products if ignored is None else tf.where(ignored, -2.0, products)

    if size <= chunk_size:
        ignored = None if num_rows is None else tf.range(size) >= num_rows
        best, ids = tf.math.top_k(compare(table, ignored), topk)
        return tf.cast(ids, tf.int64), best

    def compare_chunk(number, ids, best):
        # The last chunk is moved back to be of full size: rows seen before are left out.
        wanted = number * chunk_size
        start = tf.minimum(wanted, size - chunk_size)
        ignored = tf.range(chunk_size) < wanted - start
        if num_rows is not None:
            ignored |= tf.range(chunk_size) >= num_rows - start
        if isinstance(table, tf.Variable):
            rows = tf.gather(table, tf.range(start, start + chunk_size))
        else:
            rows = tf.slice(table, [start, 0], [chunk_size, table.shape[1]])
        found, places = tf.math.top_k(compare(rows, ignored), min(topk, chunk_size))
        # Older, smaller ids come first, so that ties go to them.
        best = tf.concat([best, found], axis=1)
        ids = tf.concat([ids, places + start], axis=1)
        best, places = tf.math.top_k(best, topk)
        return number + 1, tf.gather(ids, places, batch_dims=1), best

    batch, chunks = tf.shape(queries)[0], -(-size // chunk_size)
    nothing = tf.zeros((batch, topk), tf.int32), tf.fill((batch, topk), -3.0)
    _, ids, best = tf.while_loop(
        lambda number, *_: number < chunks,
        compare_chunk,
        (tf.constant(0), *nothing),
        maximum_iterations=chunks,
        parallel_iterations=1,
    )
    return tf.cast(ids, tf.int64), best
