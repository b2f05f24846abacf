"""Batch normalization over all replicas."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_adasim")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, synchronized, with a variance that is exact where the mean is large.

    Keras takes the variance of a synchronized layer as the mean of squares less the square of the
    mean. Of features that differ little between images, such as those of a fresh transformer, this
    leaves few digits, and other ones for every number of replicas. Here the mean is gathered first
    and then the squared distances to it.

    Args:
        synchronized: Whether the statistics are those of all replicas.
        **kwargs: The other arguments of `keras.layers.BatchNormalization`.
    """

    def __init__(self, synchronized=True, **kwargs):
        super().__init__(synchronized=synchronized, **kwargs)

    def _moments(self, inputs, mask):
        if mask is not None or not self.synchronized:
            return super()._moments(inputs, mask)
        axes = list(range(inputs.ndim))
        del axes[self.axis]
        mean = _mean_over_replicas(inputs, axes)
        distances = inputs - tf.reshape(mean, [1 if i in axes else -1 for i in range(inputs.ndim)])
        return mean, _mean_over_replicas(tf.square(distances), axes)


def _mean_over_replicas(x, axes):
    """Mean over some axes and all replicas, whose shares of the batch may differ."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return tf.reduce_mean(x, axes)
    total = tf.reduce_sum(x, axes)
    count = tf.cast(tf.size(x) // tf.size(total), x.dtype)
    # One exchange for both.
    everything = replica.all_reduce("SUM", tf.concat([total, [count]], axis=0))
    return everything[:-1] / everything[-1]
