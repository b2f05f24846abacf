"""Which images there are, in a form that can be kept and compared."""

import hashlib

import numpy as np

from keras_adasim.data.changes import compare, contents_of
from keras_adasim.data.keys import checked_keys
from keras_adasim.keys import Keys

# Images whose content is looked at, spread over the set.
SAMPLES = 256
_PARTS = ("fingerprints", "sample", "contents", "channels")


class Inventory:
    """The images of a set by key and fingerprint, and of a sample by content.

    Args:
        keys: `Keys` of N images.
        fingerprints: (N,) uint64 array.
        sample: (n,) int64 array, the images whose content is known.
        contents: (n,) uint64 array, hashes of their content.
        channels: Channels of the images.
        source: The source itself, of which more can be read; None if it is no more.

    Example:
        ```python
        images = np.arange(4 * 48, dtype="uint8").reshape(4, 4, 4, 3)
        before = ka.data.Inventory.of(ka.data.ArraySource(images))
        now = ka.data.Inventory.of(ka.data.ArraySource(images[[3, 1]]))
        changes = now.changes_since(before)
        changes.previous, changes.removed  # [3, 1], 2
        ```
    """

    def __init__(self, keys, fingerprints, sample, contents, channels, source=None):
        self.keys = keys
        self.fingerprints = fingerprints
        self.sample = sample
        self.contents = contents
        self.channels = channels
        self.source = source

    @classmethod
    def of(cls, source):
        """Takes the inventory of a source, which reads the samples alone."""
        sample = np.unique(np.linspace(0, len(source) - 1, SAMPLES, dtype=np.int64))
        keys, fingerprints = checked_keys(source), np.asarray(source.fingerprints(), np.uint64)
        contents = contents_of(source, sample)
        return cls(keys, fingerprints, sample, contents, source.channels, source)

    @classmethod
    def from_arrays(cls, arrays):
        """Builds what `to_arrays` returned.

        Args:
            arrays: Mapping.

        Raises:
            ValueError: If something is missing or doesn't fit.
        """
        keys = Keys.from_arrays(arrays, "keys_")
        fingerprints, sample, contents, channels = (np.asarray(arrays[name]) for name in _PARTS)
        fits = len(fingerprints) == len(keys) and len(sample) == len(contents)
        if not fits or not (len(sample) and sample.min() >= 0 and sample.max() < len(keys)):
            raise ValueError("Expected an inventory of images. Received: parts that don't fit")
        return cls(keys, fingerprints, sample, contents, int(channels))

    def to_arrays(self):
        """Returns the inventory as a dict of arrays."""
        return self.keys.to_arrays("keys_") | {name: getattr(self, name) for name in _PARTS}

    def changes_since(self, before):
        """Finds out what has become of the images of an earlier inventory: `Changes`."""
        return compare(before, self)

    def facts(self):
        """Dict of how many images there are and 16 digits that depend on number and content."""
        digest = hashlib.sha256(str((len(self.keys), self.channels)).encode())
        digest.update(self.contents.tobytes())
        return {"images": len(self.keys), "fingerprint": digest.hexdigest()[:16]}
