"""The bank: one remembered feature per training image, and its nearest neighbors."""

import functools

import keras
import tensorflow as tf

from keras_adasim.keys import as_keys
from keras_adasim.layers import earlier_rows
from keras_adasim.layers.keyed_tables import TABLES, KeyedTables
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.layers.sharded_rows import ShardedRows
from keras_adasim.layers.whole_rows import WholeRows
from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_axes, check_choice, check_integer, check_switch

# TensorFloat-32 rounds the inputs of a float32 product to 10 bits. Similarities that are summed
# over a window and divided by a temperature of 0.001 need all 23; bfloat16 is not affected.
tf.config.experimental.enable_tensor_float_32_execution(False)


@keras.saving.register_keras_serializable(package="keras_adasim")
class NeighborBank(KeyedTables, keras.layers.Layer):
    """Keeps one L2-normalized feature per training image and looks up neighbors among them.

    Calling the layer does three things in this order: it looks up the nearest rows of the bank as
    it stood before the call, overwrites the rows of `indices` with the new features, and records
    the neighbors. An image can therefore find its own older self, images of one batch don't see
    each other's new features, and rows never written are zeros with a similarity of exactly 0.

    All arithmetic is float32, whatever the rows are. Ties go to the smaller id. Under a
    distribution strategy every replica keeps a whole copy, which stay equal, as all write what all
    have seen; or, with `sharded`, a block of the rows, in which it looks up what all have seen.

    Args:
        num_images: Number of training images N.
        feature_dim: Size of a feature D.
        topk: Number of neighbors k recorded per image.
        row_dtype: Type of the bank's rows, "float32" or "float16".
        sharded: Whether each device keeps a share of the bank alone, instead of all of it.
        chunk_size: Number of rows compared at a time, which bounds the memory of a look-up; None
            for 65,536 on a GPU, and 8,192 on a processor.
        keys: Names of the images, a source's `keys`, or None. They are saved with the tables; with
            them a saved model can go on with other images: `SelfDistillation.follow`.

    Attributes:
        features: (N, D), L2-normalized rows of `row_dtype`, zero before the first visit. If
            `sharded`, these tables are brought together from all replicas when they are read.
        ids: Int64 (N, k), the neighbors found at the image's last visit.
        similarities: Float32 (N, k), their cosine similarities, falling.

    Raises:
        ValueError: If an argument is wrong, or `topk` is larger than `num_images`.

    Reference:
        - [AdaSim](https://github.com/tileb1/AdaSim), `update_state`, whose bank this equals.

    Example:
        ```python
        bank = ka.layers.NeighborBank(num_images=100, feature_dim=8, topk=3)
        indices = np.arange(16)
        features = np.random.default_rng(0).normal(size=(16, 8)).astype("float32")
        bank(indices, features)  # The bank is empty: all similarities are 0.
        ids, similarities = bank(indices, features)
        print(ids[:, 0])  # Every image finds its older self.
        ```
    """

    def __init__(
        self,
        num_images,
        feature_dim,
        topk=10,
        row_dtype="float32",
        sharded=False,
        chunk_size=None,
        keys=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **{"dtype": "float32", "trainable": False, **kwargs})
        self.num_images = num_images = check_integer("num_images", num_images)
        self.feature_dim = feature_dim = check_integer("feature_dim", feature_dim)
        self.topk = topk = check_integer("topk", topk)
        self.row_dtype = check_choice("row_dtype", row_dtype, ("float32", "float16"))
        self.sharded = check_switch("sharded", sharded)
        self.chunk_size = None if chunk_size is None else check_integer("chunk_size", chunk_size)
        self.keys = None if keys is None else as_keys(keys, num_images)
        if topk > num_images:
            raise ValueError(
                f"Expected `topk` to be at most `num_images`: a bank of {num_images} rows has no "
                f"{topk} neighbors. Received: topk={topk}. Lower `topk`."
            )
        # int64: int32 variables live in host memory, where a compiled program can't reach them.
        rows = ((feature_dim,), row_dtype), ((topk,), "int64"), ((topk,), "float32")
        rows = dict(zip(TABLES, rows, strict=True))
        if sharded:
            self.rows_kept = ShardedRows(num_images, rows, chunk_size)
        else:
            add = functools.partial(self.add_weight, trainable=False, autocast=False)
            tables = [
                add(name=name, shape=(num_images, *shape), dtype=dtype, initializer="zeros")
                for name, (shape, dtype) in rows.items()
            ]
            self.rows_kept = WholeRows(tables, chunk_size)
        compiled = functools.partial(tf.function, jit_compile=True, autograph=False)
        is_large = self.rows_kept.memory_bytes() >= earlier_rows.LARGE_BANK
        self.earlier_rows = earlier_rows.EarlierRows(self.rows_kept) if is_large else None
        look_up = functools.partial(self.rows_kept.look_up, compiled=True)
        self._compiled = compiled(look_up), compiled(self.rows_kept.write)
        self.built = True

    def __call__(self, indices, features):
        """Looks whether the images are rows of the bank, then calls the layer.

        Compiled, an index beyond the bank would be dropped in silence.
        """
        if not (tf.is_symbolic_tensor(indices) or tf.is_symbolic_tensor(features)):
            indices = check_integers("indices", indices, (None,), self.num_images)
            check_axes("features", features, len(indices), "D")
            if not tf.reduce_all(tf.math.is_finite(features)):
                raise ValueError(
                    "Expected finite `features`, as a bank keeps them. Received: NaN or infinity"
                )
        return super().__call__(tf.convert_to_tensor(indices), tf.convert_to_tensor(features))

    def call(self, indices, features):
        """Looks up, then writes and records.

        Args:
            indices: Integers (B,), the images' rows; no image twice.
            features: Floats (B, D), as the backbone gives them.

        Returns:
            Tuple (ids, similarities), int64 and float32 (B, k), most similar first.

        Raises:
            ValueError: If the features are not of the bank's size.
        """
        if features.shape[-1] != self.feature_dim:
            raise ValueError(
                f"Expected `features` of shape (B, {self.feature_dim}), the bank's `feature_dim`. "
                f"Received: features.shape={tuple(features.shape)}. Build the bank with "
                "`feature_dim` of the backbone."
            )
        return self.step(tf.cast(indices, tf.int64), l2_normalize(features))

    def step(self, indices, features, jit_compile=False, when=None):
        """Does what a call does, as a part of a training step: in replica context, not compiled.

        Args:
            indices: Int64 (B,), the rows of this replica's images; no image twice.
            features: Float32 (B, D), L2-normalized.
            jit_compile: Whether look-up and write are XLA programs, which update the tables in
                place. The exchange between replicas can't stand in one.
            when: Boolean scalar, the same on all replicas; where false nothing is written.

        Returns:
            Tuple (ids, similarities), int64 and float32 (B, k), most similar first.
        """
        rows = self.rows_kept
        look_up, write = self._compiled if jit_compile else (rows.look_up, rows.write)
        found, everyone = rows.exchange(look_up, indices, features)
        before = [] if self.earlier_rows is None else [self.earlier_rows.keep(everyone[0])]
        with tf.control_dependencies(before):
            if when is None:
                write(*everyone)
            else:
                tf.cond(when, lambda: write(*everyone), lambda: None)
        return found

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_images": self.num_images,
            "feature_dim": self.feature_dim,
            "topk": self.topk,
            "row_dtype": self.row_dtype,
            "sharded": self.sharded,
            "chunk_size": self.chunk_size,
        }
