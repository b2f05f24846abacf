"""Strings, millions of them in few bytes."""

import array
import itertools

import numpy as np

# Any string can be written and read again so, also a file's name that is no UTF-8.
ENCODING = ("utf-8", "surrogatepass")
# Names that are looked at together.
_CHUNK = 1024


class _Buffer:
    """The bytes that several `Names` share."""

    def __init__(self, array):
        self.bytes = array


class Names:
    """A sequence of strings that lie in one buffer: beside its bytes, one takes 8 or 16 more.

    Args:
        names: Iterable of strings.

    Raises:
        TypeError: If something is no string.
    """

    what = "name"

    def __init__(self, names):
        buffer, offsets = bytearray(), array.array("q", [0])
        for name in names:
            if not isinstance(name, str):
                raise TypeError(
                    f"Expected every {self.what} to be a string, the name of an image. "
                    f"Received: {name!r}, {self.what} {len(offsets) - 1}"
                )
            buffer += name.encode(*ENCODING)
            offsets.append(len(buffer))
        # Copied, as both have room to grow.
        buffer, offsets = np.array(buffer, np.uint8), np.array(offsets, np.int64)
        self._hold(buffer, offsets[:-1], offsets[1:])

    @classmethod
    def from_arrays(cls, arrays, prefix=""):
        """Builds what `to_arrays` returned.

        Args:
            arrays: Mapping with the entries `"bytes"`, uint8, and `"offsets"`, int64.
            prefix: What stands before those names.

        Raises:
            ValueError: If they don't fit each other.
        """
        buffer, offsets = (np.asarray(arrays[prefix + name]) for name in ("bytes", "offsets"))
        whole = (buffer.dtype, offsets.dtype) == (np.uint8, np.int64) and buffer.ndim == 1
        whole = whole and offsets.ndim == 1 and len(offsets) and offsets[0] == 0
        if not whole or offsets[-1] != len(buffer) or (np.diff(offsets) < 0).any():
            raise ValueError(
                f"Expected {cls.what}s as `to_arrays` gives them, uint8 bytes and rising int64 "
                f"offsets. Received: {buffer.dtype} {buffer.shape} and {offsets.dtype} "
                f"{offsets.shape}"
            )
        names = cls.__new__(cls)
        names._hold(buffer, offsets[:-1], offsets[1:])
        return names

    def to_arrays(self, prefix=""):
        """Returns the strings as a dict of arrays, `"bytes"` and `"offsets"` behind a prefix."""
        buffer, starts, ends = self._bytes, self._starts, self._ends
        if len(self) and not (starts[0] == 0 and ends[-1] == len(buffer) and self._are_in_line()):
            buffer = self._joined(np.arange(len(self)))
            ends = np.cumsum(ends - starts)
        return {
            prefix + "bytes": buffer if len(self) else np.zeros(0, np.uint8),
            prefix + "offsets": np.append(np.int64(0), ends),
        }

    def __len__(self):
        """Number of strings."""
        return len(self._starts)

    def __getitem__(self, index):
        """Returns the string at an index, or those at a slice or an array of indices."""
        if isinstance(index, slice):
            return self._taken(np.arange(*index.indices(len(self))))
        if np.ndim(index):
            rows = np.asarray(index)
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64, copy=False)
            return self._taken(rows)
        content = self._bytes[self._starts[index] : self._ends[index]]
        return content.tobytes().decode(*ENCODING)

    def __iter__(self):
        """Yields the strings."""
        for start in range(0, len(self), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(self)))
            content = self._joined(rows).tobytes()
            ends = np.append(0, np.cumsum(self._lengths(rows))).tolist()
            for begin, end in itertools.pairwise(ends):
                yield content[begin:end].decode(*ENCODING)

    def __eq__(self, other):
        """Whether the others are the same strings, in the same order."""
        if not isinstance(other, Names | list | tuple):
            return NotImplemented
        if self is other:
            return True
        if isinstance(other, Names):
            mine, theirs = self.to_arrays(), other.to_arrays()
            return all(np.array_equal(mine[part], theirs[part]) for part in mine)
        return len(self) == len(other) and all(map(str.__eq__, self, other))

    __hash__ = None

    def __repr__(self):
        """The first ones, and how many there are."""
        rest = ", ..." if len(self) > 3 else ""
        return f"<{len(self)} {self.what}s: {', '.join(map(repr, self[:3]))}{rest}>"

    def lay_in(self, array):
        """Has the bytes lie in another array from now on, also those of all that share them.

        Args:
            array: Array of uint8, as `to_arrays` gives it.
        """
        if len(array) != len(self._bytes):
            raise ValueError(
                f"Expected `array` to have the {len(self._bytes)} bytes of the {self.what}s. "
                f"Received: array of {len(array)}"
            )
        self._buffer.bytes = array

    @property
    def _bytes(self):
        return self._buffer.bytes

    def _hold(self, buffer, starts, ends):
        self._buffer = buffer if isinstance(buffer, _Buffer) else _Buffer(buffer)
        self._starts, self._ends = starts, ends

    def _taken(self, rows):
        """The strings at some rows, which share the buffer if they are most of those in it."""
        names = type(self).__new__(type(self))
        if 2 * len(rows) >= len(self):
            names._hold(self._buffer, self._starts[rows], self._ends[rows])
        else:
            ends = np.append(np.int64(0), np.cumsum(self._lengths(rows)))
            names._hold(self._joined(rows), ends[:-1], ends[1:])
        return names

    def _are_in_line(self):
        return np.array_equal(self._starts[1:], self._ends[:-1])

    def _lengths(self, rows):
        return self._ends[rows] - self._starts[rows]

    def _joined(self, rows):
        """The bytes of some strings, one after the other."""
        lengths = self._lengths(rows)
        if not len(rows):
            return np.zeros(0, np.uint8)
        starts = self._starts[rows]
        if np.array_equal(starts[1:], self._ends[rows[:-1]]):
            return self._bytes[starts[0] : self._ends[rows[-1]]]
        shifts = starts - (np.cumsum(lengths) - lengths)
        return self._bytes[np.repeat(shifts, lengths) + np.arange(lengths.sum())]
