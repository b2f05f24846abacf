"""Tables that are shared out: each replica keeps a block of rows, and nothing else."""

import functools

import numpy as np
import tensorflow as tf

from keras_adasim.layers.copies import read_part, write_part
from keras_adasim.layers.gather import gather
from keras_adasim.layers.nearest_rows import nearest_rows
from keras_adasim.workers import cluster, has_workers

# Rows of each replica that several workers send around at a time, when a table is read.
_CHUNK = 65536


class ShardedRows:
    """Looks up and writes rows of which every replica owns a block.

    Replica r owns the rows from r * ceil(N / R) on, so that the blocks, one behind the other, are
    the table; the last ones may be shorter, or empty. All replicas' features are compared with each
    block, and the best of all blocks are merged.

    The tables are no Keras weights: a weight has one value, which every replica has. Here the
    copies of a variable differ, and each has one row more than its block, where a replica writes
    what others own: a compiled program has no fewer rows to write.

    Args:
        num_rows: Number of rows N.
        tables: Dict of name to the shape and dtype of a row: features (D,), ids and similarities
            (k,).
        chunk_size: Number of rows compared at a time, or None.
    """

    def __init__(self, num_rows, tables, chunk_size):
        self.strategy = tf.distribute.get_strategy()
        self.num_rows = num_rows
        self.num_shards = self.strategy.num_replicas_in_sync
        self.size = -(-num_rows // self.num_shards)
        self.chunk_size = chunk_size
        self.tables = [
            tf.Variable(tf.zeros((self.size + 1, *shape), dtype), trainable=False, name=name)
            for name, (shape, dtype) in tables.items()
        ]
        here = len(_copies(self.tables[0]))
        first = here * cluster()[1] if has_workers(self.strategy) else 0
        self.shards_here = tuple(range(first, first + here))

    def bounds(self, shard):
        """First row of a block, and the one after its last."""
        return tuple(min(row * self.size, self.num_rows) for row in (shard, shard + 1))

    def shards_of(self, replica):
        """The shards that a replica writes: its own."""
        return (replica,)

    # --- a step, in replica context -----------------------------------------------------------

    def look_up(self, features, compiled=False):
        """Finds the nearest rows of this replica's block: (B, D) -> ids, similarities (B, c).

        Args:
            features: Float32 (B, D), L2-normalized.
            compiled: Whether this stands in an XLA program, which reads a table in place.
        """
        table, first = self.tables[0], self._first_row()
        table = tf.convert_to_tensor(table) if compiled else table
        count = tf.clip_by_value(self.num_rows - first, 0, self.size)
        most = min(self.tables[1].shape[1], self.size)
        queries = tf.stop_gradient(features)
        places, similarities = nearest_rows(queries, table, most, self.chunk_size, count)
        return places + tf.cast(first, tf.int64), similarities

    def exchange(self, look_up, indices, features):
        """Looks up the features of all replicas in each block, and merges what they found.

        Args:
            look_up: The method of this name, compiled or not.
            indices: Int64 (B,), the rows of this replica's images.
            features: Float32 (B, D).

        Returns:
            Tuple of what this replica's images found, and what to give to `write`.
        """
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync != self.num_shards:
            raise ValueError(
                f"Expected a bank with `sharded` to be called by {self.num_shards} replicas, as it "
                "was built for them, in `strategy.run` or `fit`. Received: a call "
                + ("in no replica" if replica is None else f"by {replica.num_replicas_in_sync}")
                + ". Build the bank inside `strategy.scope()`."
            )
        everyone = gather(indices), gather(features)
        found = self._merged(*(gather(rows) for rows in look_up(everyone[1])))
        first, size = self._place_in_batch(features)
        return tuple(rows[first : first + size] for rows in found), [*everyone, *found]

    def write(self, indices, *rows):
        """Overwrites those of all replicas' rows that this replica owns."""
        places = indices - tf.cast(self._first_row(), tf.int64)
        beside = tf.constant(self.size, tf.int64)
        places = tf.where((places < 0) | (places >= beside), beside, places)
        for table, values in zip(self.tables, rows, strict=True):
            table.scatter_update(tf.IndexedSlices(tf.cast(values, table.dtype), places))

    def _first_row(self):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.cast(replica, tf.int32) * self.size

    def _merged(self, ids, similarities):
        """The best of what all blocks found, (R * B, c) each; in their order, for the ties."""

        def side_by_side(rows):
            by_block = tf.reshape(rows, (self.num_shards, -1, rows.shape[1]))
            return tf.concat(tf.unstack(by_block), axis=1)

        best, places = tf.math.top_k(side_by_side(similarities), self.tables[1].shape[1])
        return tf.gather(side_by_side(ids), places, batch_dims=1), best

    def _place_in_batch(self, features):
        """Where this replica's images stand in the global batch, and how many they are."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        if features.shape[0] is not None:
            return replica * features.shape[0], features.shape[0]
        size = tf.shape(features)[:1]
        sizes = gather(tf.cast(size, tf.int64))
        return tf.cast(tf.reduce_sum(sizes[:replica]), tf.int32), size[0]

    # --- reading and writing from outside -----------------------------------------------------

    def read(self, place):
        """Reads a table, by its place among them; of several workers all must call it.

        Returns:
            NumPy array (N, ...).
        """
        table = self.tables[place]
        whole = np.zeros((self.num_rows, *table.shape[1:]), table.dtype.as_numpy_dtype)
        if not has_workers(self.strategy):
            for shard in self.shards_here:
                whole[slice(*self.bounds(shard))] = self.read_shard(place, shard)
            return whole
        for start in range(0, self.size, _CHUNK):
            part = start, min(start + _CHUNK, self.size)
            rows = self._by_replica(lambda _, copy, part=part: read_part(copy, *part), place)
            blocks = np.split(self.strategy.gather(rows, axis=0).numpy(), self.num_shards)
            for shard, block in enumerate(blocks):
                rows = whole[slice(*self.bounds(shard))][slice(*part)]
                rows[...] = block[: len(rows)]
        return whole

    def read_rows(self, place, indices):
        """Reads some rows, (n,) integers -> a NumPy array; of several workers all must call it."""
        table = self.tables[place]
        owners, places = np.divmod(np.asarray(indices, np.int64), self.size)

        def own(shard, copy):
            rows = np.zeros((len(owners), *table.shape[1:]), table.dtype.as_numpy_dtype)
            rows[owners == shard] = tf.gather(copy, places[owners == shard]).numpy()
            return rows

        if has_workers(self.strategy):
            rows = self._by_replica(lambda *block: tf.constant(own(*block)), place)
            return self.strategy.reduce("SUM", rows, axis=None).numpy()
        blocks = zip(self.shards_here, _copies(table), strict=True)
        return functools.reduce(np.add, (own(*block) for block in blocks))

    def read_shard(self, place, shard, start=None, end=None):
        """Reads rows of a block of a table, one of `shards_here`: a NumPy array."""
        first, last = self.bounds(shard)
        copy = _copies(self.tables[place])[self.shards_here.index(shard)]
        return read_part(copy, start or 0, last - first if end is None else end)

    def read_shard_rows(self, place, shard, places):
        """Reads some rows of a block, one of `shards_here`: (n,) integers -> a NumPy array."""
        copy = _copies(self.tables[place])[self.shards_here.index(shard)]
        return tf.gather(copy, places).numpy()

    def assign(self, place, first, rows):
        """Overwrites rows of a table from the row `first` on; each owner takes its own."""
        for shard, copy in zip(self.shards_here, _copies(self.tables[place]), strict=True):
            start, end = self.bounds(shard)
            low, high = max(start, first), min(end, first + len(rows))
            if low < high:
                write_part(copy, low - start, rows[low - first : high - first])

    def variables_here(self):
        """The variables in which this process keeps its blocks."""
        return [copy for table in self.tables for copy in _copies(table)]

    def memory_bytes(self):
        """Bytes of the tables on every replica."""
        return sum(table.shape.num_elements() * table.dtype.size for table in self.tables)

    def _by_replica(self, function, place):
        """Distributed values of `function(shard, copy)`."""
        copies = dict(zip(self.shards_here, _copies(self.tables[place]), strict=True))

        def value(context):
            shard = context.replica_id_in_sync_group
            return function(shard, copies[shard])

        return self.strategy.experimental_distribute_values_from_function(value)


def _copies(table):
    """The variables that a table has on the replicas of this process."""
    return list(getattr(table, "values", [table]))
