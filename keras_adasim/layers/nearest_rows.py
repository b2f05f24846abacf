"""The nearest rows of a large table."""

import tensorflow as tf


def nearest_rows(queries, table, topk, chunk_size=65536):
    """Finds the rows of a table that are most similar to each query.

    It walks through the table in chunks of rows and keeps the best so far, so its working memory is
    B * (chunk_size + 2 * topk) floats, whatever the size of the table. Ties go to the smaller id.

    Args:
        queries: Float32 (B, D), L2-normalized.
        table: Float32 tensor (N, D), rows L2-normalized or zero.
        topk: Number k of rows to find, at most N.
        chunk_size: Number of rows compared at a time.

    Returns:
        Tuple (ids, similarities), int64 and float32 (B, k), most similar first.
    """
    num_rows = table.shape[0]
    if num_rows <= chunk_size:
        best, ids = tf.math.top_k(tf.matmul(queries, table, transpose_b=True), topk)
        return tf.cast(ids, tf.int64), best

    def compare_chunk(number, ids, best):
        # The last chunk is moved back to be of full size: rows seen before are left out.
        wanted = number * chunk_size
        start = tf.minimum(wanted, num_rows - chunk_size)
        rows = tf.slice(table, [start, 0], [chunk_size, table.shape[1]])
        similarities = tf.matmul(queries, rows, transpose_b=True)
        similarities = tf.where(tf.range(chunk_size) < wanted - start, -2.0, similarities)
        found, places = tf.math.top_k(similarities, min(topk, chunk_size))
        # Older, smaller ids come first, so that ties go to them.
        best = tf.concat([best, found], axis=1)
        ids = tf.concat([ids, places + start], axis=1)
        best, places = tf.math.top_k(best, topk)
        return number + 1, tf.gather(ids, places, batch_dims=1), best

    batch, chunks = tf.shape(queries)[0], -(-num_rows // chunk_size)
    nothing = tf.zeros((batch, topk), tf.int32), tf.fill((batch, topk), -3.0)
    _, ids, best = tf.while_loop(
        lambda number, *_: number < chunks,
        compare_chunk,
        (tf.constant(0), *nothing),
        maximum_iterations=chunks,
        parallel_iterations=1,
    )
    return tf.cast(ids, tf.int64), best
