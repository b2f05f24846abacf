"""Rows of all replicas, with their gradient."""

import numpy as np
import tensorflow as tf

from keras_adasim.layers.gather import gather


def test_rows_come_in_the_order_of_the_replicas_with_their_gradient(two_replicas):
    def step():
        replica = tf.distribute.get_replica_context()
        rows = tf.reshape(tf.range(4.0), (2, 2)) + 4.0 * float(replica.replica_id_in_sync_group)
        with tf.GradientTape() as tape:
            tape.watch(rows)
            everyone = gather(rows)
            assert everyone.shape == (4, 2)
            loss = tf.reduce_sum(tf.square(everyone))
        return everyone, tape.gradient(loss, rows)

    everyone, gradient = two_replicas.run(tf.function(step))
    for copy in two_replicas.experimental_local_results(everyone):
        np.testing.assert_array_equal(copy, np.arange(8.0).reshape(4, 2))
    # Both replicas' losses count: 2 x for each.
    gradients = two_replicas.experimental_local_results(gradient)
    np.testing.assert_array_equal(np.concatenate(gradients), 4 * np.arange(8.0).reshape(4, 2))


def test_one_replica_keeps_its_rows():
    rows = tf.ones((3, 2))
    assert gather(rows) is rows
