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

    The moving variance is unbiased, n / (n - 1) times the batch's, as PyTorch's: pretrained
    statistics come from there and go there.

    Args:
        synchronized: Whether the statistics are those of all replicas.
        **kwargs: The other arguments of `keras.layers.BatchNormalization`.
    """

    def __init__(self, synchronized=True, **kwargs):
        super().__init__(synchronized=synchronized, **kwargs)

    def call(self, inputs, training=None, mask=None):
        """Normalizes; in training by the batch's statistics, of which it keeps moving means."""
        if not (training and self.trainable) or mask is not None or self.renorm:
            return super().call(inputs, training=training, mask=mask)
        x = tf.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        mean, variance, count = self._statistics(x)
        for moving, now in (
            (self.moving_mean, mean),
            (self.moving_variance, variance * (count / tf.maximum(count - 1.0, 1.0))),
        ):
            before = tf.cast(moving, x.dtype)
            moving.assign(before * self.momentum + now * (1.0 - self.momentum))
        outputs = keras.ops.batch_normalization(
            x,
            mean,
            variance,
            self.axis,
            offset=tf.cast(self.beta, x.dtype) if self.center else None,
            scale=tf.cast(self.gamma, x.dtype) if self.scale else None,
            epsilon=self.epsilon,
        )
        return tf.cast(outputs, self.compute_dtype)

    def _moments(self, inputs, mask):
        if mask is not None:
            return super()._moments(inputs, mask)
        return self._statistics(inputs)[:2]

    def _statistics(self, x):
        """Mean and biased variance (C,), and the number of rows that they are of."""
        axes = list(range(x.ndim))
        del axes[self.axis]
        mean, count = self._mean(x, axes)
        distances = x - tf.reshape(mean, [1 if i in axes else -1 for i in range(x.ndim)])
        return mean, self._mean(tf.square(distances), axes)[0], count

    def _mean(self, x, axes):
        """Mean and count over some axes and all replicas, whose shares may differ."""
        replica = tf.distribute.get_replica_context()
        alone = not self.synchronized or replica is None or replica.num_replicas_in_sync == 1
        total = tf.reduce_sum(x, axes)
        count = tf.cast(tf.size(x) // tf.size(total), x.dtype)
        if alone:
            return tf.reduce_mean(x, axes), count
        # One exchange for both.
        everything = replica.all_reduce("SUM", tf.concat([total, [count]], axis=0))
        return everything[:-1] / everything[-1], everything[-1]
