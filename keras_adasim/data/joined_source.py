"""Several sources, one after the other."""

import functools

import numpy as np
import tensorflow as tf

from keras_adasim.data.keys import checked_keys
from keras_adasim.data.source import Source
from keras_adasim.keys import Keys
from keras_adasim.validation import check_strings


class JoinedSource(Source):
    """The images of several sources in the order given, their classes matched by name.

    The classes are all that any source has, numbered in the order of their names. Sources of which
    none names its classes keep their labels as they are. If a source has no labels, or only some
    name their classes, there are no labels.

    Args:
        sources: List of `Source`s with the same channels.
        class_names: List of strings that numbers the classes instead, such as those of the
            training images; it may have more than the sources do.

    Attributes:
        sources: The sources.

    Raises:
        ValueError: If there is no source, if channels differ, or if a source has a class that
            `class_names` lacks; names it.

    Example:
        ```python
        images = np.zeros((2, 8, 8, 3), "uint8")
        first = ka.data.ArraySource(images, [0, 1], class_names=["ant", "cow"])
        second = ka.data.ArraySource(images, [0, 1], class_names=["bee", "cow"])
        source = ka.data.JoinedSource([first, second])
        source.class_names, source.labels  # ["ant", "bee", "cow"], [0, 2, 1, 2]
        ```
    """

    def __init__(self, sources, class_names=None):
        self.sources = list(_checked_sources(sources))
        self.class_names = _class_names(self.sources, class_names)
        self.channels = self.sources[0].channels
        self.encoded = all(source.encoded for source in self.sources)
        sizes = {source.image_size for source in self.sources}
        self.image_size = sizes.pop() if len(sizes) == 1 else None
        # Index of each source's first image, and the number of all.
        self._starts = np.cumsum([0] + [len(source) for source in self.sources])
        self._labels = self._value_range = None
        if not any(source.encoded for source in self.sources):
            self.value_range  # noqa: B018, each of them maps its own images, and all alike.

    def __len__(self):
        """Number of images."""
        return int(self._starts[-1])

    @property
    def labels(self):
        """(N,) int64 array, or None; the first access asks the sources, which may take a while."""
        if self._labels is None and self.why_unlabeled is None:
            self._labels = np.concatenate([self._renumbered(source) for source in self.sources])
        return self._labels

    @property
    def why_unlabeled(self):
        """String. The reason of the first source without labels; None if there are labels."""
        for source in self.sources:
            if source.labels is None:
                return source.why_unlabeled or f"no label of {source.describe(0)}"
        unnamed = [source for source in self.sources if source.class_names is None]
        if unnamed and (self.class_names or len(unnamed) < len(self.sources)):
            return f"no name of the class of {unnamed[0].describe(0)}, other sources having them"
        return None

    @property
    def value_range(self):
        """One range for all sources, which holds theirs; None if none has deep images."""
        if self._value_range is None:
            ranges = [s.value_range for s in self.sources if s.value_range is not None]
            if ranges:
                low, high = np.split(np.array(ranges), 2, axis=1)
                self.value_range = (*low.min(axis=0).tolist(), *high.max(axis=0).tolist())
        return self._value_range

    @value_range.setter
    def value_range(self, value_range):
        self._value_range = value_range
        for source in self.sources:
            source.value_range = value_range

    def read(self, index):
        """Reads what the source of that image has there; a vector of indices from arrays too."""
        index = tf.convert_to_tensor(index)
        starts = tf.cast(self._starts, index.dtype)
        place = tf.reduce_sum(tf.cast(index[..., None] >= starts[1:-1], tf.int32), -1)
        below = index - tf.gather(starts, place)
        if index.shape.rank:
            return self._gather(place, below)
        image = tf.switch_case(place, [self._reader(source, below) for source in self.sources])
        return image if self.encoded else tf.ensure_shape(image, (None, None, self.channels))

    def describe(self, index):
        """Names an image as its source does."""
        source, below = self._source_of(index)
        return source.describe(below)

    def look(self, index, full):
        """Looks at an image's file as its source does."""
        source, below = self._source_of(index)
        return source.look(below, full)

    @functools.cached_property
    def keys(self):
        """`Keys`: those of the sources, behind the number of the source if there are several."""
        if len(self.sources) == 1:
            return checked_keys(self.sources[0])
        return Keys(
            f"{number}/{key}"
            for number, source in enumerate(self.sources)
            for key in checked_keys(source)
        )

    def fingerprints(self, indices=None):
        """(n,) uint64 array: those of the sources."""
        if indices is None:
            return np.concatenate([source.fingerprints() for source in self.sources])
        found = np.zeros(len(indices), np.uint64)
        for source, here, below in self._parts(indices):
            found[here] = source.fingerprints(below)
        return found

    def unreadable(self, indices):
        """Which images their sources can't read: (n,) integers -> (n,) bool."""
        found = np.zeros(len(indices), bool)
        for source, here, below in self._parts(indices):
            found[here] = source.unreadable(below)
        return found

    def _parts(self, indices):
        """Yields each source, which of some images are its own, and their indices there."""
        indices = np.asarray(indices)
        for source, start in zip(self.sources, self._starts, strict=False):
            here = (indices >= start) & (indices < start + len(source))
            yield source, here, indices[here] - start

    def _source_of(self, index):
        """The source of an image, and its index there."""
        place = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self.sources[place], int(index - self._starts[place])

    def _reader(self, source, index):
        # Files and arrays are read alike, as pixels.
        read = source.decode if source.encoded and not self.encoded else source.read
        return lambda: read(index)

    def _gather(self, place, below):
        rows = tf.dynamic_partition(tf.range(tf.size(place)), place, len(self.sources))
        below = tf.dynamic_partition(below, place, len(self.sources))
        parts = [self._reader(*part)() for part in zip(self.sources, below, strict=True)]
        images = tf.dynamic_stitch(rows, parts)
        return tf.ensure_shape(images, place.shape + parts[0].shape[1:])

    def _renumbered(self, source):
        labels = np.asarray(source.labels)
        if self.class_names is None:
            return labels
        numbers = {name: number for number, name in enumerate(self.class_names)}
        return np.array([numbers[name] for name in source.class_names])[labels]


def _checked_sources(sources):
    is_list = isinstance(sources, list | tuple) and len(sources) > 0
    if not is_list or not all(isinstance(source, Source) for source in sources):
        raise ValueError(
            "Expected `sources` to be a list of at least one `data.Source`. "
            f"Received: sources={sources!r}"
        )
    for source in sources:
        if source.channels != sources[0].channels:
            raise ValueError(
                "Expected `sources` to have the same channels. Received: "
                f"{sources[0].channels} channels of {sources[0].describe(0)}, "
                f"{source.channels} channels of {source.describe(0)}"
            )
    return sources


def _class_names(sources, wanted):
    named = [source.class_names for source in sources if source.class_names is not None]
    if wanted is None:
        return sorted(set().union(*named)) if len(named) == len(sources) else None
    wanted = check_strings("class_names", wanted)
    unknown = sorted(set().union(*named) - set(wanted))
    if unknown:
        raise ValueError(
            f"Expected `class_names` to hold every class of `sources`. Received: {unknown[0]!r}, "
            f"which is not among class_names={list(wanted)}"
        )
    return list(wanted)
