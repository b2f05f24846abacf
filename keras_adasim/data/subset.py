"""Some images of another source."""

import functools

import numpy as np
import tensorflow as tf

from keras_adasim.data.keys import checked_keys, numbered
from keras_adasim.data.source import Source
from keras_adasim.keys import Keys
from keras_adasim.validation import check_has


class Subset(Source):
    """The images of a source at the given indices, renumbered from 0.

    Args:
        source: `Source`.
        indices: (n,) integers, indices of `source`.

    Raises:
        ValueError: If there is no index, or one that `source` does not have.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((4, 8, 8, 3), "uint8"), labels=[0, 1, 2, 3])
        ka.data.Subset(source, [3, 1]).labels  # [3, 1]
        ```
    """

    def __init__(self, source, indices):
        check_has("source", source, "a `data.Source`", "__len__", "read", "channels")
        indices = np.asarray(indices)
        if indices.ndim != 1 or not len(indices) or not np.issubdtype(indices.dtype, np.integer):
            raise ValueError(
                "Expected `indices` to be a vector of at least one integer. "
                f"Received: indices of shape {indices.shape} and dtype {indices.dtype}"
            )
        if indices.min() < 0 or indices.max() >= len(source):
            raise ValueError(
                f"Expected `indices` to be in [0, {len(source)}), the images of `source`. "
                f"Received: indices from {indices.min()} to {indices.max()}"
            )
        self.source = source
        self.indices = indices.astype(np.int64)
        self.class_names = source.class_names
        self.channels = source.channels
        self.encoded = source.encoded
        self.image_size = source.image_size
        self._labels = None

    def __len__(self):
        """Number of images."""
        return len(self.indices)

    @property
    def labels(self):
        """(n,) int64 array, or None; the first access asks the source, which may take a while."""
        if self._labels is None and self.source.labels is not None:
            self._labels = np.asarray(self.source.labels)[self.indices]
        return self._labels

    @property
    def why_unlabeled(self):
        """The source's reason."""
        return self.source.why_unlabeled

    @property
    def value_range(self):
        """That of the source."""
        return self.source.value_range

    @value_range.setter
    def value_range(self, value_range):
        self.source.value_range = value_range

    def read(self, index):
        """Reads what the source has at that place."""
        return self.source.read(tf.gather(self.indices, index))

    def describe(self, index):
        """Names an image as its source does."""
        return self.source.describe(int(self.indices[index]))

    def look(self, index, full):
        """Looks at an image's file as its source does."""
        return self.source.look(int(self.indices[index]), full)

    @functools.cached_property
    def keys(self):
        """`Keys`: those of the source; an image that is there again has "#2" behind it."""
        keys = checked_keys(self.source)
        if np.array_equal(self.indices, np.arange(len(keys))):
            return keys
        if len(np.unique(self.indices)) == len(self):
            return keys[self.indices]
        return Keys(numbered(keys[index] for index in self.indices))

    def fingerprints(self, indices=None):
        """(n,) uint64 array: those of the source."""
        return self.source.fingerprints(self.indices if indices is None else self.indices[indices])

    def unreadable(self, indices):
        """Which images the source can't read: (n,) integers -> (n,) bool."""
        return self.source.unreadable(self.indices[np.asarray(indices)])
