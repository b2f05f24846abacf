"""The bank: one remembered feature per training image, and its nearest neighbours."""

import keras
import tensorflow as tf

from keras_adasim.layers.preprocessing import l2_normalize

# TensorFloat-32 rounds the inputs of a float32 product to 10 bits. Similarities that are summed
# over a window and divided by a temperature of 0.001 need all 23; bfloat16 is not affected.
tf.config.experimental.enable_tensor_float_32_execution(False)


@keras.saving.register_keras_serializable(package="keras_adasim")
class NeighborBank(keras.layers.Layer):
    """Keeps one L2-normalised feature per training image and looks up neighbours among them.

    Calling the layer does three things in this order: it looks up the nearest rows of the bank as
    it stood before the call, overwrites the rows of `indices` with the new features, and records
    the neighbours. An image can therefore find its own older self, images of one batch don't see
    each other's new features, and rows never written are zeros with a similarity of exactly 0.

    The look-up walks through the bank in chunks of rows and keeps the best `topk` so far, so its
    working memory is `B * (chunk_size + 2 * topk)` floats, whatever the size of the bank. All
    arithmetic is float32. Ties go to the smaller id.

    Under a distribution strategy every replica keeps a whole copy; a call in replica context
    gathers the batch of all replicas before it writes, so that all copies stay equal.

    Args:
        num_images: number of training images, `N`.
        feature_dim: size of a feature, `D`.
        topk: neighbours recorded per image, `k`.
        chunk_size: rows compared at a time.

    Attributes:
        features: float32 `(N, D)`, L2-normalised rows, zero before the first visit.
        ids: int64 `(N, k)`, the neighbours found at the image's last visit.
        similarities: float32 `(N, k)`, their cosine similarities, falling.

    Source: `update_state` of the official AdaSim code (ICCV 2023), whose bank this equals.
    """

    def __init__(self, num_images, feature_dim, topk=10, chunk_size=65536, **kwargs):
        super().__init__(autocast=False, **{"dtype": "float32", "trainable": False, **kwargs})
        for name, value in (
            ("num_images", num_images),
            ("feature_dim", feature_dim),
            ("topk", topk),
            ("chunk_size", chunk_size),
        ):
            if int(value) != value or value < 1:
                raise ValueError(f"Expected `{name}` to be a positive integer. Received: {value!r}")
        if topk > num_images:
            raise ValueError(
                f"Expected `topk` to be at most `num_images`: a bank of {num_images} rows has no "
                f"{topk} neighbours. Received: topk={topk}. Lower `topk`."
            )
        self.num_images = int(num_images)
        self.feature_dim = int(feature_dim)
        self.topk = int(topk)
        self.chunk_size = int(chunk_size)
        self.build()

    def build(self, input_shape=None):
        """Creates the three tables; needs no input shape."""
        if self.built:
            return
        n, k = self.num_images, self.topk
        self.features = self._table("features", (n, self.feature_dim), "float32")
        # int64: int32 variables live in host memory, where a compiled program can't reach them.
        self.ids = self._table("ids", (n, k), "int64")
        self.similarities = self._table("similarities", (n, k), "float32")
        self.built = True

    def _table(self, name, shape, dtype):
        options = {"initializer": "zeros", "trainable": False, "autocast": False}
        return self.add_weight(name=name, shape=shape, dtype=dtype, **options)

    def call(self, indices, features):
        """Looks up, then writes and records.

        Args:
            indices: integers `(B,)`, the images' rows; no image twice.
            features: floats `(B, D)`, as the backbone gives them.

        Returns:
            `(ids, similarities)`, int64 and float32 `(B, k)`, most similar first.
        """
        features = self.normalize(features)
        ids, similarities = self.look_up(features)
        rows = (tf.cast(indices, tf.int64), features, ids, similarities)
        replica = tf.distribute.get_replica_context()
        if replica is not None and replica.num_replicas_in_sync > 1:
            rows = [replica.all_gather(tf.identity(row), axis=0) for row in rows]
        self.write(*rows)
        return ids, similarities

    def normalize(self, features):
        """Casts `(B, D)` features to float32 and divides each by its L2 norm (at least 1e-12)."""
        if features.shape[-1] != self.feature_dim:
            raise ValueError(
                f"Expected `features` of shape (B, {self.feature_dim}), the bank's `feature_dim`. "
                f"Received: features.shape={tuple(features.shape)}. Build the bank with "
                "`feature_dim` of the backbone."
            )
        return l2_normalize(features)

    def look_up(self, features):
        """Finds the nearest rows of the bank as it stands; writes nothing.

        Args:
            features: float32 `(B, D)`, L2-normalised.

        Returns:
            `(ids, similarities)`, int64 and float32 `(B, k)`, most similar first.
        """
        features = tf.stop_gradient(features)
        if self.num_images <= self.chunk_size:
            similarities = tf.matmul(features, self.features, transpose_b=True)
            best, ids = tf.math.top_k(similarities, self.topk)
            return tf.cast(ids, tf.int64), best
        return self._look_up_in_chunks(features)

    def _look_up_in_chunks(self, features):
        size, num_images = self.chunk_size, self.num_images
        batch = tf.shape(features)[0]
        bank = tf.convert_to_tensor(self.features.value)

        def compare_chunk(number, ids, best):
            # The last chunk is moved back to be of full size: rows seen before are left out.
            wanted = number * size
            start = tf.minimum(wanted, num_images - size)
            rows = tf.slice(bank, [start, 0], [size, self.feature_dim])
            similarities = tf.matmul(features, rows, transpose_b=True)
            similarities = tf.where(tf.range(size) < wanted - start, -2.0, similarities)
            found, places = tf.math.top_k(similarities, min(self.topk, size))
            # Older, smaller ids come first, so that ties go to them.
            best = tf.concat([best, found], axis=1)
            ids = tf.concat([ids, places + start], axis=1)
            best, places = tf.math.top_k(best, self.topk)
            return number + 1, tf.gather(ids, places, batch_dims=1), best

        chunks = -(-num_images // size)
        nothing = tf.zeros((batch, self.topk), tf.int32), tf.fill((batch, self.topk), -3.0)
        _, ids, best = tf.while_loop(
            lambda number, *_: number < chunks,
            compare_chunk,
            (tf.constant(0), *nothing),
            maximum_iterations=chunks,
            parallel_iterations=1,
        )
        return tf.cast(ids, tf.int64), best

    def write(self, indices, features, ids, similarities):
        """Overwrites the rows `indices` and their records; local to the replica it runs on.

        Args:
            indices: int64 `(B,)`, the same on every replica.
            features: float32 `(B, D)`, L2-normalised.
            ids: int64 `(B, k)`.
            similarities: float32 `(B, k)`.
        """
        for table, rows in (
            (self.features, features),
            (self.ids, ids),
            (self.similarities, similarities),
        ):
            table.value.scatter_update(tf.IndexedSlices(rows, indices))

    def records(self):
        """Reads what every image found at its last visit.

        Returns:
            Tuple of NumPy arrays (N, k): int64 ids, and float32 similarities, falling.
        """
        return self.ids.numpy(), self.similarities.numpy()

    def rows(self, indices):
        """Reads the features of some images: (n,) integers -> (n, D) float32 NumPy array."""
        return tf.gather(self.features, indices).numpy()

    def compute_output_shape(self, indices_shape, features_shape=None):
        """Shapes of ids and similarities for indices of shape `(B,)`."""
        return (indices_shape[0], self.topk), (indices_shape[0], self.topk)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_images": self.num_images,
            "feature_dim": self.feature_dim,
            "topk": self.topk,
            "chunk_size": self.chunk_size,
        }
