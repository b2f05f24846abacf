"""Rows of all replicas, brought together."""

import tensorflow as tf


def gather(rows):
    """Concatenates the rows of all replicas, in the order of the global batch, with gradient.

    To be called in replica context, outside of compiled functions when there are several replicas.

    Args:
        rows: Tensor (B, ...) of this replica; not bfloat16, which can't be gathered.

    Returns:
        Tensor (global batch, ...), the same on every replica; `rows` itself if there is but one.
    """
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return rows
    # One and the same tensor object on every replica would be returned ungathered.
    everyone = replica.all_gather(tf.identity(rows), axis=0)
    # TensorFlow forgets all of the shape but its rank.
    size = rows.shape[0] and rows.shape[0] * replica.num_replicas_in_sync
    return tf.ensure_shape(everyone, (size, *rows.shape[1:]))
