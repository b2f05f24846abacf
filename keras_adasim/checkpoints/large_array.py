"""Arrays too large to stand in memory twice: read, and written, a few rows at a time."""

import concurrent.futures
import math
import os

import numpy as np

# Bytes from which on an array is one of them, and that are read together.
LARGE = 2**25
_AT_ONCE = 2**24
_THREADS = 4


class LargeArray:
    """An array that is somewhere else, on a device say.

    Args:
        shape: Its shape, (n, ...).
        dtype: NumPy dtype.
        read: Function from the first row and the one behind the last to a NumPy array of these.
        stays: Whether `read` gives the same later, whatever has become of the array since.
    """

    def __init__(self, shape, dtype, read, stays=False):
        self.shape, self.dtype, self.read = tuple(shape), np.dtype(dtype), read
        self.stays = stays

    def write(self, path):
        """Writes a new .npy file, by several threads; its blocks may still be on their way.

        Raises:
            OSError: If it can't be written.
        """
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False}
        with path.open("xb") as file:
            np.lib.format.write_array_header_1_0(file, {**header, "shape": self.shape})
            file.flush()
            begin, row = file.tell(), math.prod(self.shape[1:]) * self.dtype.itemsize

            def copy(part):
                start, end = part
                rows = np.ascontiguousarray(self.read(start, end))
                _write_at(file.fileno(), rows.view(np.uint8).data, begin + start * row)

            with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
                for _ in threads.map(copy, parts(self.shape[0], row)):
                    pass


def whole_or_large(shape, dtype, read, stays=False):
    """An array that is read now, or a `LargeArray`.

    Args:
        shape: Its shape.
        dtype: NumPy dtype.
        read: As for `LargeArray`.
        stays: As for `LargeArray`.
    """
    if not shape or math.prod(shape) * np.dtype(dtype).itemsize < LARGE:
        return read(None, None)
    return LargeArray(shape, dtype, read, stays)


def parts(num_rows, row_bytes):
    """Yields the first row of every part that is read together, and the one behind its last."""
    step = max(1, _AT_ONCE // max(1, row_bytes))
    for start in range(0, num_rows, step):
        yield start, min(start + step, num_rows)


def _write_at(descriptor, data, offset):
    data = data.cast("B")
    while len(data):
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
