"""A first-in, first-out queue of features."""

import keras
import tensorflow as tf

from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.validation import check_integer


@keras.saving.register_keras_serializable(package="keras_adasim")
class FeatureQueue(keras.layers.Layer):
    """Remembers the last `size` features it was given, L2-normalized, in float32.

    The rows form a ring: new ones overwrite the oldest, from the pointer on, and go on at the
    first row where the ring ends. No row is lost, whatever the batch's size. The queue starts
    full, with random rows of length one.

    `enqueue` assigns locally, so that it can stand in a compiled function in replica context: with
    the same rows on every replica all copies of the queue stay equal.

    Args:
        size: Number of rows Q.
        feature_dim: Size of a feature D.
        seed: Seed of the rows that the queue starts with.

    Attributes:
        rows: Float32 (Q, D).
        pointer: Int64 scalar, the oldest row, which is overwritten next.

    Reference:
        The support set of Dwibedi et al., "With a Little Help from My Friends:
        Nearest-Neighbor Contrastive Learning of Visual Representations", ICCV 2021.

    Example:
        ```python
        queue = ka.layers.FeatureQueue(size=16, feature_dim=4)
        features = keras.random.normal((8, 4))
        queue.enqueue(features)
        neighbors = queue.look_up(features)  # The features themselves, with length one.
        ```
    """

    def __init__(self, size, feature_dim, seed=0, **kwargs):
        super().__init__(autocast=False, **{"dtype": "float32", "trainable": False, **kwargs})
        self.size = check_integer("size", size)
        self.feature_dim = check_integer("feature_dim", feature_dim)
        self.seed = check_integer("seed", seed, minimum=0)
        self.build()

    def build(self, input_shape=None):
        """Creates rows and pointer; needs no input shape."""
        if self.built:
            return
        self.rows = self.add_weight(
            name="rows",
            shape=(self.size, self.feature_dim),
            dtype="float32",
            initializer=self._random_rows,
            trainable=False,
            autocast=False,
        )
        # int64: int32 variables live in host memory, where a compiled program can't reach them.
        self.pointer = self.add_weight(
            name="pointer",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            autocast=False,
        )
        self.built = True

    def _random_rows(self, shape, dtype):
        return l2_normalize(keras.random.normal(shape, dtype=dtype, seed=self.seed), axis=-1)

    def call(self, features):
        """The same as `look_up`."""
        return self.look_up(features)

    def look_up(self, features):
        """Finds the row with the largest cosine similarity; writes nothing.

        Args:
            features: Floats (B, D), of any length.

        Returns:
            Float32 (B, D), rows of the queue, without gradient.
        """
        similarities = tf.matmul(self._normalize(features), self.rows, transpose_b=True)
        nearest = tf.argmax(similarities, axis=-1)
        return tf.stop_gradient(tf.gather(self.rows.value, nearest))

    def enqueue(self, features):
        """Overwrites the oldest rows; local to the replica it runs on.

        Args:
            features: Floats (B, D), of any length, the same on every replica.

        Raises:
            ValueError: If the batch is larger than the queue.
        """
        features = self._normalize(features)
        self.check_batch(features.shape[0])
        count = tf.shape(features, out_type=tf.int64)[0]
        pointer = tf.convert_to_tensor(self.pointer.value)
        places = (pointer + tf.range(count)) % self.size
        self.rows.value.scatter_update(tf.IndexedSlices(features, places))
        self.pointer.value.assign((pointer + count) % self.size)

    def check_batch(self, batch_size):
        """Raises ValueError if a batch (None: of unknown size) doesn't fit into the queue."""
        if batch_size is not None and batch_size > self.size:
            raise ValueError(
                f"Expected a batch of at most {self.size} features, the size of the queue. "
                f"Received: {batch_size} features. Make the queue larger, or the global batch "
                "smaller."
            )

    def _normalize(self, features):
        if features.shape[-1] not in (None, self.feature_dim):
            raise ValueError(
                f"Expected `features` of shape (B, {self.feature_dim}), the queue's `feature_dim`. "
                f"Received: features.shape={tuple(features.shape)}"
            )
        return tf.stop_gradient(l2_normalize(features, axis=-1))

    def compute_output_shape(self, input_shape):
        """The shape of the features looked up for features (B, D)."""
        return tuple(input_shape)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "size": self.size,
            "feature_dim": self.feature_dim,
            "seed": self.seed,
        }
