"""What has become of images between two inventories of a set."""

import hashlib

import numpy as np
import tensorflow as tf

from keras_adasim.data.file_fingerprints import SIZE, SIZE_AND_TIME

# New images that are read to find out whether one of known content is among them.
_MOST_READ = 1024
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Changes:
    """What has become of the images that a run was started with.

    Args:
        previous: (N,) int64 array. Of each image now the index that it had, or -1.
        num_before: Number of images there were.
        moved: Number of images that have another key than they had.
        changed: Number of images that are gone, with another one under their key.
        doubt: Why images were not taken for those with their key and fingerprint, or None.

    Attributes:
        kept: Number of images that are still there, under the same key or another one.
        added: Number of images that are new, but for those in the place of changed ones.
        removed: Number of images that are gone, and nothing in their place.
    """

    def __init__(self, previous, num_before, moved=0, changed=0, doubt=None):
        self.previous = previous
        self.num_before = num_before
        self.moved = moved
        self.changed = changed
        self.doubt = doubt
        self.kept = int(np.count_nonzero(previous >= 0))
        self.added = len(previous) - self.kept - changed
        self.removed = num_before - self.kept - changed

    def check(self, accept=False):
        """Raises ValueError if more than half of the images are gone, and nobody insists."""
        if accept or 2 * self.kept >= self.num_before:
            return
        why = f" ({self.doubt}, so that names tell nothing)" if self.doubt else ""
        raise ValueError(
            f"Expected at least half of the {self.num_before:,} images that the run was started "
            f"with. Received: {self.kept:,} of them{why}. Pass the images it was started with, "
            "start anew (`fresh`, or another folder), or insist by `accept_changes`: the network "
            "goes on then, and what was known of images that are gone is dropped."
        )

    def __bool__(self):
        """Whether an image is new, gone or in another place."""
        return not np.array_equal(self.previous, np.arange(self.num_before))

    def __str__(self):
        """What happened, for people."""
        names = ("added", "removed", "changed", "moved")
        counts = [f"{getattr(self, name):,} {name}" for name in names if getattr(self, name)]
        return f"{', '.join(counts) or 'in another order'}, of {self.num_before:,} images"


def compare(before, now):
    """Finds out which images now are those of an earlier inventory.

    An image is the same if its key and its fingerprint are. Where most files have another number
    (inode), since they were copied, or another time too, the rest of the fingerprint decides, if
    the samples have the content they had. An image whose key is gone, or that isn't the same, is
    looked for under the other keys: by fingerprint and name, if no two have both, and by content,
    if that is known.

    Args:
        before: The `Inventory` of M images.
        now: That of N images, of whose source some are read.

    Returns:
        `Changes`.
    """
    search = _Search(before, now)
    search.look_under_their_keys()
    search.look_under_other_keys()
    search.look_for_rewritten()
    return search.changes()


def contents_of(source, indices):
    """Hashes of the bytes of files, or of pixels: (n,) uint64 array; 0 of what can't be read."""
    hashes = np.zeros(len(indices), np.uint64)
    for place, index in enumerate(indices):
        try:
            with tf.device("CPU:0"):
                content = source.read(tf.constant(index, tf.int64)).numpy()
        except (tf.errors.OpError, OSError, ValueError):
            continue
        content = content if isinstance(content, bytes) else content.tobytes()
        digest = hashlib.blake2b(content, digest_size=8).digest()
        hashes[place] = int.from_bytes(digest, "little")
    return hashes


class _Search:
    """Of each image before: `home`, the image now with its key, and `found`, itself; or -1."""

    def __init__(self, before, now):
        self.before, self.now, self.source = before, now, now.source
        self.home = now.keys.find(before.keys)
        self.found = np.full(len(self.home), -1)
        self.contents = np.zeros(len(self.home), np.uint64)  # 0 where it isn't known
        self.contents[before.sample] = before.contents
        self.part = self._part_that_tells()
        self.doubt = None

    def look_under_their_keys(self):
        here = np.flatnonzero(self.home >= 0)
        agree = self._agree(here, self.part)
        self._take(here[agree], self.home[here[agree]])
        unlike = here[agree & (self.contents[here] != 0) & (self.found[here] < 0)]
        if len(unlike):
            self.doubt = f"{self.before.keys[unlike[0]]} has another content"
        touched = here[~agree & (self.contents[here] != 0)]
        self._take(touched, self.home[touched])

    def look_under_other_keys(self):
        for with_name in (True, False) if self.doubt is None else ():
            lost, new = self._lost(), self._new()
            values = self._values(self.before, lost, with_name)
            self._take_pairs(lost, new, values, self._values(self.now, new, with_name))
        lost, new = self._lost(), self._new()
        lost = lost[self.contents[lost] != 0]
        sizes = self.before.fingerprints[lost] & SIZE
        new = new[np.isin(self.now.fingerprints[new] & SIZE, sizes)][:_MOST_READ]
        self._take_pairs(lost, new, self.contents[lost], contents_of(self.source, new))

    def look_for_rewritten(self):
        """Files with another number, but of the size and time that they had."""
        if self.doubt is not None:
            return
        lost = self._lost()
        lost = lost[np.isin(self.home[lost], self._new()) & (self.contents[lost] == 0)]
        lost = lost[self._agree(lost, self.part & SIZE_AND_TIME)]
        self._take(lost, self.home[lost])

    def changes(self):
        previous = np.full(len(self.now.keys), -1)
        kept = np.flatnonzero(self.found >= 0)
        previous[self.found[kept]] = kept
        moved = np.count_nonzero(self.found[kept] != self.home[kept])
        gone = self.home[(self.found < 0) & (self.home >= 0)]
        changed = np.count_nonzero(previous[gone] < 0)
        return Changes(previous, len(self.found), moved, changed, self.doubt)

    def _part_that_tells(self):
        """The finest part of a fingerprint that most images still have, under whatever key."""
        both = np.intersect1d(self.before.fingerprints, self.now.fingerprints)
        still = np.count_nonzero(np.isin(self.before.fingerprints, both))
        if 2 * still > min(len(self.before.keys), len(self.now.keys)):
            return _ALL
        here = np.flatnonzero(self.home >= 0)
        for part in (SIZE_AND_TIME, SIZE):
            if 2 * np.count_nonzero(self._agree(here, part)) > len(here):
                return part
        return _ALL

    def _agree(self, old, part):
        before, now = self.before.fingerprints[old], self.now.fingerprints[self.home[old]]
        return (before ^ now) & part == 0

    def _take(self, old, new):
        """Takes images for the same: all but those of another content, if there are none such."""
        known = np.flatnonzero(self.contents[old])
        contents, alike = contents_of(self.source, new[known]), np.zeros(len(old), bool)
        alike[known] = contents == self.contents[old[known]]
        unlike = ((contents != 0) & ~alike[known]).any()
        if not unlike and (self.part != SIZE or alike.any()):
            alike[self.contents[old] == 0] = True
        self.found[old[alike]] = new[alike]

    def _take_pairs(self, lost, new, values, others):
        """Takes those for the same whose value, other than 0, no other image has."""
        places = _places_of_pairs(values, others)
        self._take(lost[places[0]], new[places[1]])

    def _lost(self):
        return np.flatnonzero(self.found < 0)

    def _new(self):
        is_new = np.ones(len(self.now.keys), bool)
        is_new[self.found[self.found >= 0]] = False
        return np.flatnonzero(is_new)

    def _values(self, inventory, indices, with_name):
        values = inventory.fingerprints[indices] & self.part
        if with_name:
            names = (_last_part(inventory.keys[index]) for index in indices)
            values = np.where(values, values ^ np.fromiter(names, np.uint64, len(indices)), 0)
        return values


def _last_part(key):
    name = key.rpartition("/")[2].encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")


def _places_of_pairs(values, others):
    """Where the values stand that come once in both arrays and aren't 0, as two arrays."""
    singles, places = [], []
    for each in (values, others):
        found, first, counts = np.unique(each, return_index=True, return_counts=True)
        single = (counts == 1) & (found != 0)
        singles.append(found[single])
        places.append(first[single])
    _, one, other = np.intersect1d(*singles, assume_unique=True, return_indices=True)
    return places[0][one], places[1][other]
