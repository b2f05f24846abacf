"""A source whose files may vanish or be damaged while it is used."""

import threading

import numpy as np

from keras_adasim.data.subset import Subset


class WatchedSource(Subset):
    """Some images of another source, of which it is known at any time which can't be read.

    A file whose size or time has changed is decoded before it is used, and is bad from then on if
    that fails. `PairDataset` lets other images stand in for bad ones.

    Args:
        source: `Source`.
        indices: (n,) integers, indices of `source`.
        fingerprints: (n,) uint64 array, those of the files when they were sound; those of now by
            default.
        bad: Dict of indices, from 0 to n - 1, of images that are known to be bad, to what is wrong.

    Attributes:
        bad: The same, and whatever has gone bad since.

    Raises:
        ValueError: If there is no index, or one that `source` does not have.

    Example:
        ```python
        import os, tempfile

        folder = tempfile.mkdtemp()
        for name in ("1", "2", "3"):
            keras.utils.save_img(f"{folder}/{name}.png", np.zeros((8, 8, 3)))
        source = ka.data.WatchedSource(ka.data.ImageFolder(folder), [0, 1, 2])
        os.remove(f"{folder}/2.png")
        source.unreadable(np.array([0, 1, 2]))  # [False, True, False]
        source.bad  # {1: "No such file or directory"}
        ```
    """

    def __init__(self, source, indices, fingerprints=None, bad=None):
        super().__init__(source, indices)
        self.bad = dict(bad or {})
        current = self.fingerprints() if fingerprints is None else fingerprints
        self._fingerprints = np.array(current, np.uint64)
        self._lock = threading.Lock()

    def unreadable(self, indices):
        """Which images can't be read: (n,) integers -> (n,) bool.

        Files that have changed since they were looked at are looked at again.
        """
        indices = np.asarray(indices)
        now = self.fingerprints(indices)
        for place in np.flatnonzero(now != self._fingerprints[indices]):
            self._look_again(int(indices[place]), now[place])
        if not self.bad:
            return np.zeros(len(indices), bool)
        return np.isin(indices, list(self.bad))

    def find_bad(self, indices):
        """Decodes images, whether their files have changed or not.

        Args:
            indices: Integers.

        Returns:
            List of those that are found to be bad, and weren't known to be.
        """
        found = []
        for index in np.setdiff1d(indices, list(self.bad)):
            try:
                self[int(index)]
            except (ValueError, OSError) as error:
                self._add(int(index), str(error))
                found.append(int(index))
        return found

    def _look_again(self, index, fingerprint):
        seen = None if index in self.bad else self.look(index, full=True)
        if seen is not None and seen.reason:
            self._add(index, seen.reason)
        self._fingerprints[index] = fingerprint

    def _add(self, index, reason):
        with self._lock:
            self.bad = {**self.bad, index: reason}
