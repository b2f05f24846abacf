"""The records of the last epochs, in 6 bytes for a neighbor."""

import numpy as np

from keras_adasim.pairing.validation import check_integers, check_similarities
from keras_adasim.validation import check_integer

_RECORD_BITS = 48
_MOST_FRACTION_BITS = 40
# A record as it stands in a file.
_PACKED = np.dtype([("high", "<u4"), ("low", "<u2")])


class RecordWindow:
    """Ring buffer of the neighbors that the bank recorded in the last W epochs.

    A record is one integer of 48 bits, a neighbor's id above its similarity as a fixed-point
    number, kept as 32 and 16 bits side by side: as many bytes as int32 ids with int16
    similarities, but the bits that ids leave unused go to the similarities. With 1,281,167 images
    those have steps of 2**-25, which float32 similarities above 0.25 do not even feel, instead of
    2**-15, which moves a probability by 0.001 at a temperature of 0.001.

    The records of an image lie together, so that its vote reads one stretch of memory. Memory is
    claimed by the first push.

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
        self.fraction_bits = self._fraction_bits()
        self._offset = 1 << (self.fraction_bits - 1)  # added, so that no part is negative
        self.scale = float(self._offset // 2)  # 1.0 needs a bit of its own
        shape = (self.num_images, self.window, self.topk)
        self.high = np.zeros(shape, np.uint32)
        self.low = np.zeros(shape, np.uint16)
        self._scratch = None

    @staticmethod
    def memory_bytes(num_images, window, topk):
        """Returns the bytes of a full window."""
        return 6 * num_images * window * topk

    def write(self, slot, ids, similarities):
        """Stores the records of an epoch.

        Args:
            slot: Epoch modulo W.
            ids: (N, k) int array in [0, N).
            similarities: (N, k) float array in [-1, 1].

        Raises:
            ValueError: If a shape, dtype or entry is not what is expected. Nothing is stored then.
        """
        shape = (self.num_images, self.topk)
        ids = check_integers("ids", ids, shape, self.num_images)
        similarities = check_similarities("similarities", similarities, shape)
        for start in range(0, self.num_images, self._chunk):
            rows = slice(start, start + self._chunk)
            words = self._pack(ids[rows], similarities[rows])
            self.high[rows, slot] = words >> 16
            self.low[rows, slot] = words & 0xFFFF

    def get_slot(self, slot):
        """Returns the packed records of an epoch: (N, k), 6 bytes each."""
        records = np.empty((self.num_images, self.topk), _PACKED)
        records["high"], records["low"] = self.high[:, slot], self.low[:, slot]
        return records

    def set_slot(self, slot, records):
        """Takes back what `get_slot` returned.

        Raises:
            ValueError: If the shape or dtype is another one.
        """
        if (records.shape, records.dtype) != ((self.num_images, self.topk), _PACKED):
            raise ValueError(
                f"Expected packed records of shape {(self.num_images, self.topk)}. Received: shape "
                f"{records.shape} and dtype {records.dtype}"
            )
        self.high[:, slot], self.low[:, slot] = records["high"], records["low"]

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

        Fresh memory for every chunk of a vote would cost more than reading it.

        Args:
            indices: (n,) int array of image ids.

        Returns:
            (n, W * k) int64 array.
        """
        if self._scratch is None or len(self._scratch[0]) < len(indices):
            shape = (len(indices), self.window, self.topk)
            self._scratch = [np.empty(shape, dtype) for dtype in (np.int64, np.uint32, np.uint16)]
        words, high, low = (array[: len(indices)] for array in self._scratch)
        np.take(self.high, indices, axis=0, out=high, mode="clip")
        np.take(self.low, indices, axis=0, out=low, mode="clip")
        np.left_shift(high, 16, out=words, dtype=np.int64)
        np.bitwise_or(words, low, out=words)
        return words.reshape(len(indices), -1)

    def unpack(self, words):
        """Splits packed records into ids and similarities.

        Returns:
            Tuple of an int64 and a float64 array, shaped like `words`.
        """
        fractions = (words & ((1 << self.fraction_bits) - 1)) - self._offset
        return words >> self.fraction_bits, fractions / self.scale

    def _pack(self, ids, similarities):
        fractions = np.clip(similarities.astype(np.float64), -1.0, 1.0)
        fractions = np.rint(fractions * self.scale).astype(np.int64)
        return (ids.astype(np.int64) << self.fraction_bits) + (fractions + self._offset)

    def _fraction_bits(self):
        id_bits = (self.num_images - 1).bit_length()
        # The vote's ranking keys hold a sum over the window and a place in it, 63 bits in all.
        ranking_bits = self.window.bit_length() + (self.window * self.topk).bit_length()
        bits = min(_RECORD_BITS - id_bits, _MOST_FRACTION_BITS, 63 - ranking_bits)
        if bits < 16:
            raise ValueError(
                "Expected a window that leaves 16 bits to a similarity. Received: "
                f"num_images={self.num_images}, window={self.window}, topk={self.topk}, which "
                f"leave {bits}. Choose a smaller `window` or `topk`."
            )
        return bits
