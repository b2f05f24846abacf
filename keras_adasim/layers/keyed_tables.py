"""The tables of a bank, kept with the names of the images that they are about."""

import numpy as np
import tensorflow as tf

from keras_adasim.following import follow, follow_records
from keras_adasim.keys import Keys, as_keys
from keras_adasim.workers import has_workers

TABLES = ("features", "ids", "similarities")


class KeyedTables:
    """What saving and loading a `NeighborBank` keeps, and where its rows go.

    Tables are read and written here, whether every replica keeps them whole or a share of them.
    With a share on each, of several workers all must call what reads.
    """

    @property
    def features(self):
        """(N, D) of `row_dtype`."""
        return self._table(0)

    @property
    def ids(self):
        """Int64 (N, k)."""
        return self._table(1)

    @property
    def similarities(self):
        """Float32 (N, k)."""
        return self._table(2)

    @property
    def table_shapes(self):
        """Shapes of the whole tables, as lists."""
        return [[self.num_images, size] for size in (self.feature_dim, self.topk, self.topk)]

    def tables(self):
        """Reads all: tuple of NumPy arrays (N, ...)."""
        return tuple(self.rows_kept.read(place) for place in range(len(TABLES)))

    def records(self, indices=None):
        """Reads what images found at their last visit.

        Args:
            indices: (n,) integers, the images; None for all N.

        Returns:
            Tuple of NumPy arrays (n, k): int64 ids, and float32 similarities, falling.
        """
        if indices is None:
            return self.rows_kept.read(1), self.rows_kept.read(2)
        return self.rows_kept.read_rows(1, indices), self.rows_kept.read_rows(2, indices)

    def rows(self, indices):
        """Reads the features of some images: (n,) integers -> (n, D) float32 NumPy array."""
        return self.rows_kept.read_rows(0, indices).astype(np.float32, copy=False)

    def get_weights(self):
        """Returns the whole tables."""
        return list(self.tables())

    def set_weights(self, weights):
        """Writes the whole tables.

        Raises:
            ValueError: If they are of a bank of another size.
        """
        shapes = [list(np.shape(table)) for table in weights]
        if shapes != self.table_shapes:
            raise ValueError(
                f"Expected `weights` to be a bank's tables of shapes {self.table_shapes}. "
                f"Received: shapes {shapes}"
            )
        for place, table in enumerate(weights):
            self.rows_kept.assign(place, 0, table)

    def save_own_variables(self, store):
        """Puts the keys beside the whole tables."""
        for place, table in enumerate(self.tables()):
            store[str(place)] = table
        for name, array in ({} if self.keys is None else self.keys.to_arrays("keys_")).items():
            store[name] = array

    def load_own_variables(self, store):
        """Reads the tables, and the keys where there are some.

        Raises:
            ValueError: If the keys are not those that the bank was given, or its size is another.
        """
        arrays = {name: store[name] for name in store.keys()}  # noqa: SIM118
        found = {name: arrays.pop(name) for name in list(arrays) if name.startswith("keys_")}
        if found:
            keys = as_keys(Keys.from_arrays(found, "keys_"), self.num_images)
            if self.keys not in (None, keys):
                raise ValueError(
                    "Expected a bank of the images whose keys `NeighborBank` was given. Received: "
                    f"other keys, {keys[0]!r} and so on. Load it without, and let "
                    "`SelfDistillation.follow` bring it to the images there are now."
                )
            self.keys = keys
        self.set_weights([np.asarray(arrays[name]) for name in sorted(arrays)])

    @property
    def is_spread(self):
        """Whether rows are in other processes, which all must call what reads them."""
        return self.sharded and has_workers(self.rows_kept.strategy)

    def _table(self, place):
        """A whole table: the weight, or a tensor in host memory that brings the shares together."""
        if not self.sharded:
            return self.rows_kept.tables[place]
        with tf.device("CPU:0"):
            return tf.constant(self.rows_kept.read(place))

    @staticmethod
    def follow(tables, previous):
        """Turns the tables of other images into those of these.

        A row goes with its image. A new image has a row of zeros, as one that was never visited,
        and neighbors that are gone are left out of the records.

        Args:
            tables: Tuple of arrays `(features, ids, similarities)` of a bank of M images.
            previous: (N,) int64 array. Of each image now its index among the M, or -1.

        Returns:
            Tuple of arrays of a bank of N images.
        """
        features, ids, similarities = tables
        return follow(features, previous), *follow_records(ids, similarities, previous)
