"""Names of images, millions of them in few bytes."""

import array
import itertools

import numpy as np

from keras_adasim.validation import check_strings

# Any string can be written and read again so, also a file's name that is no UTF-8.
_ENCODING = ("utf-8", "surrogatepass")
# Names that are looked at together.
_CHUNK = 8192
# The odd factors of splitmix64 (Steele, Lea and Flood, 2014).
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)


class Keys:
    """A sequence of different strings that says where each is.

    The strings lie in one buffer, and are looked up by their 64-bit hashes, which are compared
    with the strings themselves: ten million paths take about a gigabyte.

    Args:
        names: Iterable of strings, no two of them equal.

    Raises:
        ValueError: If a string comes twice; names it.
        TypeError: If something is no string.

    Example:
        ```python
        keys = ka.data.Keys(["cat/1.png", "cat/2.png", "dog/1.png"])
        keys[2], keys.find(["dog/1.png", "dog/2.png"])  # "dog/1.png", [2, -1]
        ```
    """

    def __init__(self, names):
        buffer, offsets = bytearray(), array.array("q", [0])
        for name in names:
            if not isinstance(name, str):
                raise TypeError(
                    "Expected every key to be a string, the name of an image. "
                    f"Received: {name!r}, key {len(offsets) - 1}"
                )
            buffer += name.encode(*_ENCODING)
            offsets.append(len(buffer))
        self._set(np.frombuffer(buffer, np.uint8), np.frombuffer(offsets, np.int64))

    @classmethod
    def from_arrays(cls, arrays, prefix=""):
        """Builds what `to_arrays` returned.

        Args:
            arrays: Mapping with the entries `"bytes"`, uint8, and `"offsets"`, int64.
            prefix: What stands before those names.

        Raises:
            ValueError: If they don't fit each other, or a key comes twice.
        """
        keys = cls(())
        names = prefix + "bytes", prefix + "offsets"
        buffer, offsets = (np.asarray(arrays[name]) for name in names)
        whole = (buffer.dtype, offsets.dtype) == (np.uint8, np.int64) and buffer.ndim == 1
        whole = whole and offsets.ndim == 1 and len(offsets) and offsets[0] == 0
        if not whole or offsets[-1] != len(buffer) or (np.diff(offsets) < 0).any():
            raise ValueError(
                "Expected keys as `to_arrays` gives them, uint8 bytes and rising int64 offsets. "
                f"Received: {buffer.dtype} {buffer.shape} and {offsets.dtype} {offsets.shape}"
            )
        keys._set(buffer, offsets)
        return keys

    def to_arrays(self, prefix=""):
        """Returns the keys as a dict of arrays, `"bytes"` and `"offsets"` behind a prefix."""
        return {prefix + "bytes": self._bytes, prefix + "offsets": self._offsets}

    def __len__(self):
        """Number of keys."""
        return len(self._offsets) - 1

    def __getitem__(self, index):
        """Returns the string at an index, or the `Keys` at a slice or an array of indices."""
        if isinstance(index, slice) or np.ndim(index):
            rows = np.arange(len(self))[index]
            keys = Keys(())
            keys._set(self._joined(rows), np.append(0, np.cumsum(self._lengths(rows))))
            return keys
        start, end = self._offsets[:-1][index], self._offsets[1:][index]
        return self._bytes[start:end].tobytes().decode(*_ENCODING)

    def __iter__(self):
        """Yields the strings."""
        for start in range(0, len(self), _CHUNK):
            offsets = self._offsets[start : start + _CHUNK + 1]
            content = self._bytes[offsets[0] : offsets[-1]].tobytes()
            ends = (offsets - offsets[0]).tolist()
            for begin, end in itertools.pairwise(ends):
                yield content[begin:end].decode(*_ENCODING)

    def __eq__(self, other):
        """Whether the other keys are the same, in the same order."""
        if not isinstance(other, Keys):
            return NotImplemented
        mine, theirs = self.to_arrays(), other.to_arrays()
        return all(np.array_equal(mine[name], theirs[name]) for name in mine)

    __hash__ = None

    def find(self, other):
        """Looks up other keys.

        Args:
            other: `Keys`, or an iterable of different strings.

        Returns:
            (n,) int64 array: for each of `other` its index here, -1 if it isn't here.
        """
        other = other if isinstance(other, Keys) else Keys(other)
        found = np.full(len(other), -1)
        place = np.searchsorted(self._sorted, other.hashes())
        waiting = np.arange(len(other))
        while True:  # Of the keys here with the same hash, which are one, look at the next.
            inside = place[waiting] < len(self)
            waiting = waiting[inside]
            waiting = waiting[self._sorted[place[waiting]] == other.hashes()[waiting]]
            if not len(waiting):
                return found
            rows = self._order[place[waiting]]
            same = self._equal(rows, other, waiting)
            found[waiting[same]] = rows[same]
            waiting = waiting[~same]
            place[waiting] += 1

    def hashes(self):
        """Returns hashes of the keys, each by itself: (N,) uint64 array."""
        return self._hashes

    def shuffled(self, seed):
        """Draws an order in which a key stands before another, whatever others there are.

        The first n of it are a sample that one more key changes by one.

        Args:
            seed: Non-negative integer.

        Returns:
            (N,) int64 array of indices.
        """
        return np.argsort(_mix(self._hashes ^ _mix(np.full(1, seed + 1, np.uint64))))

    def _set(self, buffer, offsets):
        self._bytes, self._offsets = buffer, offsets.astype(np.int64, copy=False)
        chunks = [np.zeros(0, np.uint64)]
        for start in range(0, len(self), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(self)))
            chunks.append(_hash(self._words(rows), self._lengths(rows)))
        self._hashes = np.concatenate(chunks)
        self._order = np.argsort(self._hashes, kind="stable")
        self._sorted = self._hashes[self._order]
        self._check_different()

    def _check_different(self):
        # Few hashes are equal, if not because the keys are.
        for (place,) in np.argwhere(self._sorted[1:] == self._sorted[:-1]):
            end = np.searchsorted(self._sorted, self._sorted[place], side="right")
            first, others = self._order[place], self._order[place + 1 : end]
            same = self._equal(np.full(len(others), first), self, others)
            if same.any():
                raise ValueError(
                    "Expected a different key for every image. Received: "
                    f"{self[first]!r}, the key of images {first} and {others[same][0]}"
                )

    def _lengths(self, rows):
        return self._offsets[rows + 1] - self._offsets[rows]

    def _joined(self, rows):
        """The bytes of some keys, one after the other."""
        lengths = self._lengths(rows)
        shifts = self._offsets[rows] - (np.cumsum(lengths) - lengths)
        return self._bytes[np.repeat(shifts, lengths) + np.arange(lengths.sum())]

    def _words(self, rows):
        """Some keys as rows of uint64, filled up with zeros."""
        lengths = self._lengths(rows)
        width = -(-lengths.max(initial=1) // 8) * 8
        table = np.zeros((len(rows), width), np.uint8)
        table[np.arange(width) < lengths[:, None]] = self._joined(rows)
        return table.view("<u8")

    def _equal(self, rows, other, other_rows):
        """Whether keys here are those there, one by one."""
        same = self._lengths(rows) == other._lengths(other_rows)
        for start in range(0, len(rows), _CHUNK):
            chunk = np.arange(start, min(start + _CHUNK, len(rows)))
            chunk = chunk[same[chunk]]
            mine, theirs = self._words(rows[chunk]), other._words(other_rows[chunk])
            same[chunk] = (mine == theirs).all(axis=1)
        return same


def as_keys(names, count):
    """Returns `Keys` of one name for each of so many images.

    Raises:
        ValueError: If there are more or fewer, or a name comes twice.
    """
    keys = names if isinstance(names, Keys) else Keys(check_strings("keys", names))
    if len(keys) != count:
        raise ValueError(
            f"Expected `keys` to be one for each of the {count} images. Received: keys={keys}, "
            f"{len(keys)} of them"
        )
    return keys


def _hash(words, lengths):
    hashes = _mix(lengths.astype(np.uint64))
    for place, column in enumerate(words.T):
        hashes = np.where(lengths > 8 * place, _mix(hashes + column), hashes)
    return hashes


def _mix(words):
    words = (words ^ (words >> np.uint64(30))) * _FIRST_FACTOR
    words = (words ^ (words >> np.uint64(27))) * _SECOND_FACTOR
    return words ^ (words >> np.uint64(31))
