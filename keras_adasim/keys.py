"""Names of images that say where each is, millions of them in few bytes."""

import numpy as np

from keras_adasim.names import Names
from keras_adasim.validation import check_strings

# Names that are looked at together.
_CHUNK = 8192
# The odd factors of splitmix64 (Steele, Lea and Flood, 2014).
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)


class Keys(Names):
    """A sequence of different strings that says where each is.

    The strings lie in one buffer, and are looked up by their 64-bit hashes, which are compared
    with the strings themselves: ten million paths take about a gigabyte.

    Args:
        names: Iterable of strings, no two of them equal. `Names` are not copied.

    Raises:
        ValueError: If a string comes twice; names it.
        TypeError: If something is no string.

    Example:
        ```python
        keys = ka.data.Keys(["cat/1.png", "cat/2.png", "dog/1.png"])
        keys[2], keys.find(["dog/1.png", "dog/2.png"])  # "dog/1.png", [2, -1]
        ```
    """

    what = "key"

    def __init__(self, names):
        if isinstance(names, Names):
            self._hold(names._bytes, names._starts, names._ends)
        else:
            super().__init__(names)

    def find(self, other):
        """Looks up other keys.

        Args:
            other: `Keys`, or an iterable of different strings.

        Returns:
            (n,) int64 array: for each of `other` its index here, -1 if it isn't here.
        """
        other = other if isinstance(other, Keys) else Keys(other)
        found = np.full(len(other), -1)
        place = np.searchsorted(self._hashes, other.hashes(), sorter=self._order)
        waiting = np.arange(len(other))
        while True:  # Of the keys here with the same hash, which are one, look at the next.
            inside = place[waiting] < len(self)
            waiting = waiting[inside]
            waiting = waiting[self._hash_at(place[waiting]) == other.hashes()[waiting]]
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

    def _hold(self, buffer, starts, ends):
        super()._hold(buffer, starts, ends)
        self._hashes = np.empty(len(self), np.uint64)
        for start in range(0, len(self), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(self)))
            self._hashes[rows] = _hash(self._words(rows), self._lengths(rows))
        # Half the bytes, which is enough for two thousand million images.
        self._order = np.argsort(self._hashes, kind="stable").astype(np.int32)
        self._check_different()

    def _check_different(self):
        # Few hashes are equal, if not because the keys are.
        for place in _places_of_equals(self._hashes, self._order):
            end = place + 1
            while end < len(self) and self._hash_at(end) == self._hash_at(place):
                end += 1
            first, others = self._order[place], self._order[place + 1 : end]
            same = self._equal(np.full(len(others), first), self, others)
            if same.any():
                raise ValueError(
                    "Expected a different key for every image. Received: "
                    f"{self[first]!r}, the key of images {first} and {others[same][0]}"
                )

    def _hash_at(self, places):
        """The hashes at places of their order, which rise."""
        return self._hashes[self._order[places]]

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


def _places_of_equals(hashes, order):
    """Where in their order hashes stand that the next one is equal to."""
    found = []
    for start in range(0, len(order), _CHUNK):
        some = hashes[order[start : start + _CHUNK + 1]]
        found += (start + np.flatnonzero(some[1:] == some[:-1])).tolist()
    return found


def _hash(words, lengths):
    hashes = _mix(lengths.astype(np.uint64))
    for place, column in enumerate(words.T):
        hashes = np.where(lengths > 8 * place, _mix(hashes + column), hashes)
    return hashes


def _mix(words):
    words = (words ^ (words >> np.uint64(30))) * _FIRST_FACTOR
    words = (words ^ (words >> np.uint64(27))) * _SECOND_FACTOR
    return words ^ (words >> np.uint64(31))
