"""Pairings that remember what the bank recorded in the last epochs."""

import contextlib

import numpy as np

from keras_adasim.pairing.drawing_ahead import DrawingAhead
from keras_adasim.pairing.mapped_window import MappedWindow
from keras_adasim.pairing.pairing import Pairing
from keras_adasim.pairing.record_window import RecordWindow
from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_integer


class WindowedPairing(Pairing):
    """Keeps the records of W epochs, in memory or in files, and brings them through a checkpoint.

    Subclasses implement `_drawn`, which several threads may call at once.

    Args:
        num_images: Number of images N.
        window: Number of epochs W.
        topk: Number of neighbors k in a record.
        keys: Names of the images, or None; see `Pairing`.
        directory: Folder for records that are files, or None. Partners are then drawn in the
            background, image after image, once the window is full.
    """

    needs_neighbors = True
    _record_arrays = ("records_high", "records_low")

    def __init__(self, num_images, window, topk, keys, directory):
        self._window = self._ahead = None
        super().__init__(check_integer("num_images", num_images), keys)
        self.window = check_integer("window", window)
        self.topk = check_integer("topk", topk)
        sizes = self.num_images, self.window, self.topk
        if directory is None:
            self._window = RecordWindow(*sizes)
        else:
            self._window = MappedWindow(*sizes, directory)

    @property
    def directory(self):
        """Folder of the records, or None if they are in memory."""
        return getattr(self._window, "directory", None)

    @staticmethod
    def memory_bytes(num_images, window=50, topk=10):
        """Returns the bytes that a full window takes in every process."""
        return RecordWindow.memory_bytes(num_images, window, topk)

    def records(self, indices):
        """Returns what the window holds, for inspection.

        Args:
            indices: (n,) int array of image ids.

        Returns:
            Tuple of (n, w, k) arrays, oldest epoch first, where w is the smaller of W and the
            number of pushes: int64 ids and float64 similarities, -1 and 0 where there is none.
        """
        indices = check_integers("indices", indices, (None,), self.num_images)
        with self._lock:
            words = self._window.read(indices, np.array(self.epochs_kept(), int) % self.window)
        return self._window.unpack(words)

    def epochs_kept(self):
        """Numbers of the last W pushes, a range."""
        return range(max(self._pushes - self.window, 0), self._pushes)

    def epoch_records(self, epoch):
        """Returns what one of `epochs_kept` recorded: (N, k) packed records, never changed."""
        with self._lock:
            return self._window.get_slot(epoch % self.window)

    def follow_epoch(self, records, previous):
        """Turns `epoch_records` of other images into those of these; see `follow`."""
        return self._window.follow_slot(records, previous)

    def _restore_epoch(self, epoch, records):
        self._window.set_slot(epoch % self.window, records)

    def get_config(self):
        """Returns the constructor's arguments as a dict, but for what is this process' own."""
        return {**super().get_config(), "window": self.window, "topk": self.topk}

    def get_state(self, records=True):
        """Returns what decides the coming partners; of a window on disk maps of its files."""
        return super().get_state(records) | (self._window.slots() if records else {})

    def set_state(self, state, records=None):
        """Restores what `get_state` returned, whether that window was on disk or not."""
        state = dict(state)
        slots = self._window.take_slots(state)
        super().set_state(state, records or slots)

    def shapes(self):
        """Dict of the names of the state's arrays to their shapes, wherever they are."""
        return {name: [self.num_images, self.window, self.topk] for name in self._record_arrays}

    def _arrays(self):
        return self._window.arrays()

    def _follow(self, arrays, previous):
        names = self._record_arrays
        if not arrays:  # They come by `follow_epoch`.
            return {}
        followed = self._window.follow(*(arrays[name] for name in names), previous)
        return dict(zip(names, followed, strict=True))

    def _record(self, ids, similarities):
        before = (self._pushes - 1) % self.window if self._pushes else None
        self._window.write(self._pushes % self.window, ids, similarities, before)

    def _forget(self):
        super()._forget()
        if self._ahead is not None:
            self._ahead.stop()
            self._ahead = None
        if isinstance(self._window, MappedWindow) and self._pushes >= self.window:
            self._ahead = DrawingAhead(self._drawn, self.num_images, self._chunk)

    def statistics(self):
        """Measures the partners now in force; see `Pairing`."""
        with self._lock, self._ahead.paused() if self._ahead else contextlib.nullcontext():
            return super().statistics()

    def _draw(self, indices):
        if self._ahead is None:
            return self._drawn(indices)
        partners = self._ahead.partners[indices]
        if len(missing := np.flatnonzero(partners < 0)):
            partners[missing] = self._drawn(indices[missing])
        return partners

    def _drawn(self, indices):
        """Returns the partners of images, by a vote of their records."""
        raise NotImplementedError(f"{type(self).__name__} must implement `_drawn(indices)`.")
