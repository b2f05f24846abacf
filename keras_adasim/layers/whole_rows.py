"""Tables of which every replica keeps a whole copy."""

import tensorflow as tf

from keras_adasim.layers.copies import read_part, write_part
from keras_adasim.layers.gather import gather
from keras_adasim.layers.nearest_rows import nearest_rows


class WholeRows:
    """Looks up and writes rows that every replica has; what is written is that of all replicas.

    Args:
        tables: List of Keras variables: features (N, D), ids and similarities (N, k).
        chunk_size: Number of rows compared at a time, or None.
    """

    num_shards = 1
    shards_here = (0,)

    def __init__(self, tables, chunk_size):
        self.tables = tables
        self.chunk_size = chunk_size

    def look_up(self, features, compiled=False):
        """Finds the nearest rows as they stand: (B, D) -> ids and similarities (B, k).

        Args:
            features: Float32 (B, D), L2-normalized.
            compiled: Whether this stands in an XLA program, which reads a table in place.
        """
        table, topk = self.tables[0].value, self.tables[1].shape[1]
        table = tf.convert_to_tensor(table) if compiled else table
        return nearest_rows(tf.stop_gradient(features), table, topk, self.chunk_size)

    def exchange(self, look_up, indices, features):
        """Looks up this replica's features, then tells the other replicas, in replica context.

        Args:
            look_up: The method of this name, compiled or not.
            indices: Int64 (B,), the rows of this replica's images.
            features: Float32 (B, D).

        Returns:
            Tuple of what this replica's images found, and what to give to `write`.
        """
        found = look_up(features)
        return found, [gather(rows) for rows in (indices, features, *found)]

    def write(self, indices, *rows):
        """Overwrites the rows of all replicas' images in this replica's copy of the tables."""
        for table, values in zip(self.tables, rows, strict=True):
            values = tf.cast(values, table.value.dtype)
            table.value.scatter_update(tf.IndexedSlices(values, indices))

    def read(self, place):
        """Reads a table, by its place among them: a NumPy array (N, ...)."""
        return self.tables[place].numpy()

    def read_rows(self, place, indices):
        """Reads some rows of a table: (n,) integers -> a NumPy array (n, ...)."""
        return tf.gather(self.tables[place], indices).numpy()

    def shards_of(self, replica):
        """The shards that a replica writes: every one the whole table."""
        return self.shards_here

    def bounds(self, shard):
        """First row of the only shard, which is the table, and the one behind its last."""
        return 0, self.tables[0].shape[0]

    def read_shard(self, place, shard, start=None, end=None):
        """Reads rows of the only shard: a NumPy array."""
        if end is None:
            return self.read(place)
        return read_part(self.tables[place], start, end)

    def read_shard_rows(self, place, shard, places):
        """Reads some rows of the only shard: (n,) integers -> a NumPy array."""
        return self.read_rows(place, places)

    def assign(self, place, first, rows):
        """Overwrites rows of a table from the row `first` on, in all copies."""
        value = self.tables[place].value
        for copy in getattr(value, "values", [value]):
            write_part(copy, first, rows)

    def variables_here(self):
        """The variables in which this process keeps all of it."""
        return self.tables

    def memory_bytes(self):
        """Bytes of the tables on every replica."""
        return sum(v.shape.num_elements() * v.value.dtype.size for v in self.tables)
