"""The records of the last epochs in files, for windows that memory is too small for."""

import itertools
import pathlib

import numpy as np

from keras_adasim.files import expand, linked
from keras_adasim.pairing.record_window import PACKED, RecordWindow


class MappedWindow(RecordWindow):
    """A `RecordWindow` with a file for every epoch, which is mapped into memory.

    The files are `.npy` files of packed records, written once and never changed: a checkpoint can
    have one as a hard link. An image's records lie in W places of the disk, so a vote over images
    in their order is fast, and one over a few images anywhere is not.

    Args:
        num_images: Number of images N.
        window: Number of epochs W.
        topk: Number of neighbors k in a record.
        directory: Folder for the files; records that are there are removed.
    """

    def __init__(self, num_images, window, topk, directory):
        self.directory = expand(directory, "directory")
        super().__init__(num_images, window, topk)

    def arrays(self):
        """Returns nothing: no array holds all records."""
        return {}

    def slots(self):
        """Returns the records as bytes, by the name of their slot; maps, so nothing is copied."""
        return {self.slot_name(slot): maps.view(np.uint8) for slot, maps in self._files.items()}

    def take_slots(self, state):
        """Takes records out of a dict of arrays; see `RecordWindow.take_slots`."""
        if "records_high" not in state:
            return super().take_slots(state)
        window = RecordWindow(1, self.window, self.topk)
        window.num_images = self.num_images
        window.high, window.low = state.pop("records_high"), state.pop("records_low")
        return lambda epoch: window.get_slot(epoch % self.window)

    def get_slot(self, slot):
        """Returns the packed records of an epoch: (N, k), a read-only map of the file."""
        return self._files[slot]

    def set_slot(self, slot, records):
        """Takes back what `get_slot` returned; a map of a whole file on this disk as a link."""
        self._check_packed(records)
        path = self._new_path()
        if not linked(records, path):
            rows = range(0, self.num_images, self._chunk)
            write_npy(path, (records[start : start + self._chunk] for start in rows), records.shape)
        self._map(slot, path)

    def is_recorded(self, indices, slot):
        """Tells which images have a record of an epoch: (n,) bool."""
        if slot not in self._files:
            return np.zeros(np.arange(self.num_images)[indices].shape, bool)
        first = self._files[slot][indices, 0]
        return (first["high"] | first["low"]) != 0

    def read(self, indices, slots):
        """Returns the packed records of some images; see `RecordWindow.read`."""
        slots = np.arange(self.window)[slots]
        words = np.zeros((len(indices), len(slots), self.topk), np.int64)
        for place, slot in enumerate(slots):
            if slot in self._files:
                records = self._files[slot][indices]
                words[:, place] = records["high"]
                words[:, place] <<= 16
                words[:, place] |= records["low"]
        return words

    def read_full(self, indices):
        """Returns all packed records of some images: (n, W * k) int64 array."""
        return self.read(indices, slice(None)).reshape(len(indices), -1)

    def _claim(self):
        self._files, self._numbers = {}, None

    def _store(self, slot, chunks):
        def records():
            for _, words in chunks:
                packed = np.empty(words.shape, PACKED)
                packed["high"], packed["low"] = words >> 16, words & 0xFFFF
                yield packed

        path = self._new_path()
        write_npy(path, records(), (self.num_images, self.topk))
        self._map(slot, path)

    def _new_path(self):
        if self._numbers is None:
            self.directory.mkdir(parents=True, exist_ok=True)
            for path in self.directory.glob("records-*.npy"):
                path.unlink()
            self._numbers = itertools.count()
        # No name comes twice: a map knows its file by the name.
        return self.directory / f"records-{next(self._numbers):06}.npy"

    def _map(self, slot, path):
        before = self._files.get(slot)
        self._files[slot] = np.load(path, mmap_mode="r")
        if before is not None:  # Whoever still reads the map keeps the content.
            pathlib.Path(before.filename).unlink(missing_ok=True)


def write_npy(path, chunks, shape):
    """Writes packed records as a new file; written through a map, a full disk would be a crash.

    Raises:
        OSError: If it can't be written. Nothing of it is left then.
    """
    header = {"descr": np.lib.format.dtype_to_descr(PACKED), "fortran_order": False, "shape": shape}
    try:
        with path.open("xb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for chunk in chunks:
                file.write(np.ascontiguousarray(chunk).data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
