"""Rows of a bank as they were at one moment, while steps go on to overwrite them."""

import contextlib
import threading

import numpy as np
import tensorflow as tf

from keras_adasim.finite import NotFiniteError

# Bytes on a device from which on a bank is read behind the back of training.
LARGE_BANK = 2**28


class EarlierRows:
    """Reads tables part by part as they were, so that nobody copies, or waits for, all of them.

    While `kept()` is entered, a step reads the rows that it is about to overwrite, and keeps them
    here; a part that is read then gets them back. Rows that are assigned from outside are not kept.

    Args:
        rows: `WholeRows` or `ShardedRows`, in whose strategy's scope this is built.
    """

    def __init__(self, rows):
        self._rows = rows
        self._lock, self._in_use = threading.Lock(), threading.Lock()
        self._parts = []  # Of every step: rows' indices, and the rows of each table, of a shard.
        self._is_wanted = tf.Variable(False, trainable=False)

    @contextlib.contextmanager
    def kept(self):
        """Keeps what steps overwrite from now on until it is left, in whatever thread.

        Who enters it meanwhile, another callback say, waits until then.
        """
        self._in_use.acquire()
        try:
            self._want(True)
            yield
        finally:
            self._want(False)
            with self._lock:
                self._parts.clear()
            self._in_use.release()

    def keep(self, indices):
        """Keeps rows if that is wanted; what overwrites them must depend on it.

        Args:
            indices: Int64 (n,), in replica context.

        Returns:
            An operation.
        """
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group

        def keep():
            tf.numpy_function(self._keep, [replica, indices], [])
            return True

        return tf.cond(self._is_wanted, keep, lambda: True)

    def _keep(self, replica, indices):
        for shard in self._rows.shards_of(int(replica)):
            first, last = self._rows.bounds(shard)
            places = indices[(first <= indices) & (indices < last)] - first
            tables = [
                self._rows.read_shard_rows(place, shard, places)
                for place in range(len(self._rows.tables))
            ]
            with self._lock:
                self._parts.append((shard, places, tables))

    def read_shard(self, place, shard, start=None, end=None):
        """Reads rows of a shard of a table as they were when `kept()` was entered: an array.

        Raises:
            NotFiniteError: If there is a number that isn't.
        """
        rows = self._rows.read_shard(place, shard, start, end)
        with self._lock:
            parts = [part for part in self._parts if part[0] == shard]
        for _, places, tables in reversed(parts):  # Of a row that was kept twice the first counts.
            places = places - (start or 0)
            inside = (places >= 0) & (places < len(rows))
            if inside.any():
                rows = rows if rows.flags.writeable else rows.copy()
                rows[places[inside]] = tables[place][inside]
        if not np.isfinite(rows).all():
            raise NotFiniteError("Expected a finite bank. Received: NaN or infinity in its rows")
        return rows

    def _want(self, value):
        for copy in getattr(self._is_wanted, "values", [self._is_wanted]):
            copy.assign(value)
