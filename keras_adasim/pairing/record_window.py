"""The records of the last epochs, in 6 bytes for a neighbor."""

import threading

import numpy as np

from keras_adasim.following import new_ids
from keras_adasim.pairing.validation import check_integers, check_similarities
from keras_adasim.validation import check_integer

_RECORD_BITS = 48
_MOST_FRACTION_BITS = 40
# A record as it stands in a file.
PACKED = np.dtype([("high", "<u4"), ("low", "<u2")])
# Words that no neighbor has: of an image that was not there yet, and of a neighbor that is gone.
NOT_RECORDED, GONE = 0, 1


class RecordWindow:
    """Ring buffer of the neighbors that the bank recorded in the last W epochs.

    A record is one integer of 48 bits, a neighbor's id above its similarity as a fixed-point
    number, kept as 32 and 16 bits side by side: as many bytes as int32 ids with int16
    similarities, but the bits that ids leave unused go to the similarities. With 1,281,167 images
    those have steps of 2**-25, which float32 similarities above 0.25 do not even feel, instead of
    2**-15, which moves a probability by 0.001 at a temperature of 0.001.

    The records of an image lie together, so that its vote reads one stretch of memory. Memory is
    claimed by the first push.

    When images come or go, `follow` takes the records over: those of an image that was not there
    hold `NOT_RECORDED`, and `GONE` stands for a neighbor that isn't there any more.

    Args:
        num_images: Number of images N.
        window: Number of epochs W.
        topk: Number of neighbors k in a record.
    """

    # Rows that are packed together by `write`.
    _chunk = 16384

    def __init__(self, num_images, window, topk):
        self.num_images = check_integer("num_images", num_images)
        self.window = check_integer("window", window)
        self.topk = check_integer("topk", topk)
        self.fraction_bits = _fraction_bits(self.num_images, self.window, self.topk)
        self._offset = 1 << (self.fraction_bits - 1)  # added, so that no part is negative
        self.scale = float(self._offset // 2)  # 1.0 needs a bit of its own
        self._claim()

    @staticmethod
    def memory_bytes(num_images, window, topk):
        """Returns the bytes of a full window."""
        return 6 * num_images * window * topk

    def write(self, slot, ids, similarities, before=None):
        """Stores the records of an epoch.

        Args:
            slot: Epoch modulo W.
            ids: (N, k) int array in [0, N).
            similarities: (N, k) float array in [-1, 1].
            before: Slot of the epoch before, if there was one. An image that had no record then,
                and is said to resemble nothing, was not visited yet and still has none.

        Raises:
            ValueError: If a shape, dtype or entry is not what is expected. Nothing is stored then.
        """
        shape = (self.num_images, self.topk)
        ids = check_integers("ids", ids, shape, self.num_images)
        similarities = check_similarities("similarities", similarities, shape)
        self._store(slot, self._packed(ids, similarities, before))

    def _claim(self):
        """Claims the memory of all records."""
        shape = (self.num_images, self.window, self.topk)
        self.high = np.zeros(shape, np.uint32)
        self.low = np.zeros(shape, np.uint16)
        self._scratch = threading.local()

    def _store(self, slot, chunks):
        """Stores the records of an epoch, an iterator of slices of images and their words."""
        for rows, words in chunks:
            self.high[rows, slot], self.low[rows, slot] = words >> 16, words & 0xFFFF

    def _packed(self, ids, similarities, before):
        for start in range(0, self.num_images, self._chunk):
            rows = slice(start, start + self._chunk)
            words = self._pack(ids[rows], similarities[rows])
            if before is not None:
                recorded = self.is_recorded(rows, before) | similarities[rows].any(axis=1)
                words[~recorded] = NOT_RECORDED
            yield rows, words

    def arrays(self):
        """Returns the arrays that hold all records, by name."""
        return {"records_high": self.high, "records_low": self.low}

    def slots(self):
        """Returns the records as bytes, by the name of their slot, where each is a file."""
        return {}

    def take_slots(self, state):
        """Takes records out of a dict of arrays that this window doesn't hold so.

        Returns:
            Function from an epoch to what `get_slot` returned, or None if there are none.
        """
        slots = {name: state.pop(name) for name in list(state) if name.startswith("slot_")}

        def records(epoch):
            name = self.slot_name(epoch)
            found = np.ascontiguousarray(slots.get(name, np.zeros(0, np.uint8)))
            if (found.dtype, found.shape) != (np.uint8, (self.num_images, self.row_bytes)):
                raise ValueError(
                    f"Expected `state[{name!r}]`, uint8 ({self.num_images}, {self.row_bytes}). "
                    f"Received: {found.dtype} {found.shape}"
                )
            return found.view(PACKED)

        return records if slots else None

    def slot_name(self, epoch):
        """Name of an epoch's records in a state."""
        return f"slot_{epoch % self.window:04}"

    @property
    def row_bytes(self):
        """Bytes of an image's record of one epoch."""
        return self.topk * PACKED.itemsize

    def get_slot(self, slot):
        """Returns the packed records of an epoch: (N, k), 6 bytes each."""
        records = np.empty((self.num_images, self.topk), PACKED)
        records["high"], records["low"] = self.high[:, slot], self.low[:, slot]
        return records

    def set_slot(self, slot, records):
        """Takes back what `get_slot` returned.

        Raises:
            ValueError: If the shape or dtype is another one.
        """
        self._check_packed(records)
        self.high[:, slot], self.low[:, slot] = records["high"], records["low"]

    def follow_slot(self, records, previous):
        """Takes over what `get_slot` returned of M other images; see `follow`."""
        followed = np.empty((len(previous), self.topk), PACKED)
        parts = self.follow(records["high"], records["low"], previous)
        followed["high"], followed["low"] = parts
        return followed

    def is_recorded(self, indices, slot):
        """Tells which images have a record of an epoch: (n,) bool."""
        return (self.high[indices, slot, 0] | self.low[indices, slot, 0]) != NOT_RECORDED

    def follow(self, high, low, previous):
        """Takes over records of other images than these.

        Args:
            high: (M, ..., k) uint32 array, the upper part of the records of M images.
            low: Their lower part, uint16.
            previous: (N,) int64 array. Of each image now its index among the M, or -1.

        Returns:
            Tuple like `(high, low)`, of N rows.
        """
        shape = (len(previous), *high.shape[1:])
        followed = np.zeros(shape, np.uint32), np.zeros(shape, np.uint16)
        ids = new_ids(previous, len(high))
        bits = _fraction_bits(len(high), self.window, self.topk)
        kept = np.flatnonzero(previous >= 0)
        for start in range(0, len(kept), self._chunk):
            rows = kept[start : start + self._chunk]
            words = high[previous[rows]].astype(np.int64) << 16 | low[previous[rows]]
            words = self._renamed(words, bits, ids)
            followed[0][rows], followed[1][rows] = words >> 16, words & 0xFFFF
        return followed

    def read(self, indices, slots):
        """Returns the packed records of some images.

        Args:
            indices: (n,) int array of image ids.
            slots: Slice or int array of w slots.

        Returns:
            (n, w, k) int64 array; `unpack` takes it apart. Sorting it sorts by neighbor.
        """
        # A basic slice of the gathered rows costs nothing, so rows are always gathered whole.
        words = self.high[indices][:, slots].astype(np.int64)
        words <<= 16
        words |= self.low[indices][:, slots]
        return words

    def read_full(self, indices):
        """Returns all packed records of some images, in memory that the next call overwrites.

        Fresh memory for every chunk of a vote would cost more than reading it. Each thread has its
        own.

        Args:
            indices: (n,) int array of image ids.

        Returns:
            (n, W * k) int64 array.
        """
        scratch = getattr(self._scratch, "arrays", None)
        if scratch is None or len(scratch[0]) < len(indices):
            shape = (len(indices), self.window, self.topk)
            scratch = [np.empty(shape, dtype) for dtype in (np.int64, np.uint32, np.uint16)]
            self._scratch.arrays = scratch
        words, high, low = (array[: len(indices)] for array in scratch)
        np.take(self.high, indices, axis=0, out=high, mode="clip")
        np.take(self.low, indices, axis=0, out=low, mode="clip")
        np.left_shift(high, 16, out=words, dtype=np.int64)
        np.bitwise_or(words, low, out=words)
        return words.reshape(len(indices), -1)

    def unpack(self, words):
        """Splits packed records into ids and similarities.

        Returns:
            Tuple of an int64 and a float64 array, shaped like `words`: -1 and 0 where there is no
            neighbor.
        """
        fractions = (words & ((1 << self.fraction_bits) - 1)) - self._offset
        found = words > GONE
        return np.where(found, words >> self.fraction_bits, -1), found * fractions / self.scale

    def _check_packed(self, records):
        if (records.shape, records.dtype) != ((self.num_images, self.topk), PACKED):
            raise ValueError(
                f"Expected packed records of shape {(self.num_images, self.topk)}. Received: shape "
                f"{records.shape} and dtype {records.dtype}"
            )

    def _renamed(self, words, bits, ids):
        """Packs records with so many bits for the similarity anew, under the neighbors' new ids."""
        fractions = (words & ((1 << bits) - 1)) - (1 << (bits - 1))
        fractions = np.rint(fractions * 2.0 ** (self.fraction_bits - bits)).astype(np.int64)
        neighbors = ids[np.where(words > GONE, words >> bits, 0)]
        renamed = (neighbors << self.fraction_bits) + (fractions + self._offset)
        return np.where(words > GONE, np.where(neighbors < 0, GONE, renamed), words)

    def _pack(self, ids, similarities):
        fractions = np.clip(similarities.astype(np.float64), -1.0, 1.0)
        fractions = np.rint(fractions * self.scale).astype(np.int64)
        return (ids.astype(np.int64) << self.fraction_bits) + (fractions + self._offset)


def _fraction_bits(num_images, window, topk):
    id_bits = (num_images - 1).bit_length()
    # The vote's ranking keys hold a sum over the window and a place in it, 63 bits in all.
    ranking_bits = window.bit_length() + (window * topk).bit_length()
    bits = min(_RECORD_BITS - id_bits, _MOST_FRACTION_BITS, 63 - ranking_bits)
    if bits < 16:
        raise ValueError(
            "Expected a window that leaves 16 bits to a similarity. Received: "
            f"num_images={num_images}, window={window}, topk={topk}, which "
            f"leave {bits}. Choose a smaller `window` or `topk`."
        )
    return bits
