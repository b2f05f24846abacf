"""Images in tar archives."""

import collections
import concurrent.futures
import functools
import io
import os
import pathlib

import numpy as np
import tensorflow as tf
from absl import logging

from keras_adasim.data.archives import find_archives
from keras_adasim.data.encoded_source import EncodedSource, check_gray_or_rgb
from keras_adasim.data.file_fingerprints import combined
from keras_adasim.data.image_folder import ImageFolder
from keras_adasim.data.listing import MODERN, named_suffixes, printable, some_names
from keras_adasim.data.look_at_file import check_regular, look_at_opened
from keras_adasim.data.open_archives import OpenArchives
from keras_adasim.data.tar_index import tar_index
from keras_adasim.data.tar_labels import folder_labels
from keras_adasim.keys import Keys
from keras_adasim.names import Names

_THREADS = 16
_NAMED = 5  # Bad archives in an error.


class TarSource(EncodedSource):
    """The image files in tar archives, such as WebDataset's shards, by index.

    Where they lie, an index tells, for which the headers of an archive are read once; it is kept
    beside the archive as a hidden file, or in the user's folder of caches. Images are read from
    there at random; nothing is unpacked. Archives that are compressed, damaged or cut off are
    refused.

    A sample is what members have in common whose names agree up to the first dot. Its label is the
    number in its member `.cls`. Without any of those the classes are the folders in the archives,
    below what all images share (`train/cat/1.jpg` is a cat); a folder called like its archive is
    none. Of a sample with `1.jpg` and `1.mask.png`, the first is the image. Hidden members, links
    and sparse files are no images; of members of one name the last counts.

    Args:
        path: A folder, searched with all below it, an archive, a name such as
            `"train-{000..099}.tar"`, or a list of archives and such names.
        channels: 3 to decode all images to RGB, 1 to decode them to gray.

    Attributes:
        path: The folder that all archives are in, `~` expanded.
        archives: List of the archives' paths below it.
        paths: `Names` of N strings, archive and member.
        class_names: List of strings, or None without labels or with those of `.cls`.
        why_unlabeled: String. Why there are no labels, or None.
        left_out: Dict of archives and members that are called like images and aren't taken, to the
            reason.
        others: Counter of the suffixes of all other members.

    Raises:
        FileNotFoundError: If there is no such archive, or no image in them.
        ValueError: If an archive is compressed, damaged or cut off, which tells at which byte, or
            a `.cls` is no integer, or `channels` is neither 1 nor 3.

    Example:
        ```python
        import io, tarfile, tempfile

        folder = tempfile.mkdtemp()
        with tarfile.open(f"{folder}/shard-000.tar", "w") as archive:
            png = tf.io.encode_png(np.zeros((8, 8, 3), "uint8")).numpy()
            for name, content in (("1.png", png), ("1.cls", b"7")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        source = ka.data.TarSource(folder)
        source[0].shape, source.labels, list(source.keys)  # ..., [7], ["shard-000.tar/1.png"]
        ```
    """

    def __init__(self, path, channels=3):
        self.channels = check_gray_or_rgb(channels)
        found = find_archives(path)
        self.path, self.archives, self.left_out = found.root, found.names, dict(found.left_out)
        self._files = [os.path.join(self.path, name) for name in self.archives]
        self._opened = OpenArchives(self._files)
        self.others = collections.Counter()
        indexes = self._indexes()
        self._take_down_others(indexes)
        # Place of each archive's first image, and the number of all.
        self._starts = np.cumsum([0, *(len(index.names) for index in indexes)])
        if not len(self):
            found = f", but with {named_suffixes(self.others)}" if self.others else ""
            raise FileNotFoundError(
                "Expected `path` to be tar archives with images in them "
                f"({', '.join(ImageFolder.suffixes)}). Received: path='{self.path}', "
                f"{len(indexes)} archives without any{found}"
            )
        self._offsets, self._sizes, self._checks = (
            np.concatenate([getattr(index, name) for index in indexes])
            for name in ("offsets", "sizes", "checks")
        )
        self.paths = Names(
            f"{archive}/{name}"
            for archive, index in zip(self.archives, indexes, strict=True)
            for name in index.names
        )
        self._set_labels(indexes)

    def __len__(self):
        """Number of images."""
        return int(self._starts[-1])

    def read(self, index):
        """Reads the bytes of a member: int64 scalar tensor -> string scalar tensor."""
        # An array of objects, because NumPy's own strings lose zeros at the end.
        content = tf.numpy_function(
            lambda i: np.array(self.contents(i), object), [index], tf.string, stateful=False
        )
        return tf.ensure_shape(content, ())

    def contents(self, index):
        """Reads the bytes of a member."""
        archive, place = self._place(index)
        try:
            return self._opened.read(archive, *place)
        except OSError as error:
            raise ValueError(f"{self._files[archive]}: {error.strerror}") from error

    def describe(self, index):
        """Names an image by archive and member."""
        return printable(self.path / self.paths[index])

    def look(self, index, full):
        """Looks at a member, as `look_at_image` does."""
        archive, place = self._place(index)

        def opened():
            check_regular(self._files[archive])
            file = self._opened.file(archive, *place)
            if not full:
                return file
            with file:
                return io.BytesIO(file.read())

        return look_at_opened(opened, full)

    @functools.cached_property
    def keys(self):
        """`Keys`: archive and member, with "/" between their parts."""
        if os.sep == "/":
            return Keys(self.paths)
        return Keys(path.replace(os.sep, "/") for path in self.paths)

    def fingerprints(self, indices=None):
        """(n,) uint64 array: size of the member, size and time of its archive, and place in it.

        0 of images whose archive isn't there any more.
        """
        indices = np.arange(len(self)) if indices is None else np.asarray(indices, np.int64)
        archives = np.searchsorted(self._starts, indices, side="right") - 1
        found, times = np.zeros(len(indices), np.uint64), self._times(np.unique(archives))
        for archive, time in times.items():
            here = np.flatnonzero(archives == archive) if len(times) > 1 else slice(None)
            rows = indices[here]
            found[here] = combined(self._sizes[rows], time, self._offsets[rows])
        return found

    def _times(self, archives):
        """Dict of archives that are there to a number that changes when they do."""

        def time(archive):
            try:
                status = os.stat(self._files[archive])
            except OSError:
                return None
            return (status.st_size << 20 ^ status.st_mtime_ns) % 2**63

        with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
            times = zip(archives.tolist(), threads.map(time, archives), strict=True)
            return {archive: time for archive, time in times if time is not None}

    def _place(self, index):
        """Which archive an image is in, and its offset, size and check there."""
        index = int(index)
        archive = int(np.searchsorted(self._starts, index, side="right")) - 1
        place = self._offsets[index], self._sizes[index], self._checks[index]
        return archive, tuple(map(int, place))

    def _indexes(self):
        """Indexes of all archives; raises an error that names those that are bad."""

        def index_of(file):
            try:
                check_regular(file)
                return tar_index(pathlib.Path(file), ImageFolder.suffixes)
            except (OSError, ValueError) as error:
                return getattr(error, "strerror", None) or str(error)

        with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
            indexes = list(threads.map(index_of, self._files))
        bad = [
            f"{self._files[i]}, {index}" for i, index in enumerate(indexes) if type(index) is str
        ]
        if bad:
            rest = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
            raise ValueError(
                "Expected `path` to be whole tar archives: copy those again, unpack what is "
                f"compressed, or take them away. Received: {'; '.join(bad[:_NAMED])}{rest}"
            )
        return indexes

    def _take_down_others(self, indexes):
        """What isn't taken as an image, and which archives may lack their end."""
        for archive, index in zip(self.archives, indexes, strict=True):
            self.left_out |= {f"{archive}/{name}": why for name, why in index.left_out.items()}
            self.others.update(index.others)
        if self.left_out:
            names = some_names(sorted(self.left_out))
            logging.warning("Left out of the archives in %s: %s.", self.path, names)
        modern = {suffix: self.others[suffix] for suffix in MODERN if self.others[suffix]}
        if modern:
            logging.warning(
                "Left out of the archives in %s: %s.", self.path, named_suffixes(modern)
            )
        unended = [n for n, index in zip(self.archives, indexes, strict=True) if not index.ended]
        if unended:
            logging.warning(
                "Archives in %s without their end mark, which may be cut off behind a whole "
                "member: %s.",
                self.path,
                some_names(unended),
            )

    def _set_labels(self, indexes):
        labels = np.concatenate([index.labels for index in indexes])
        if (labels < 0).all():
            members = [index.names for index in indexes]
            self.labels, self.class_names, why = folder_labels(self.archives, members)
            if why:
                self.why_unlabeled = f"{why} in {self.path}, and none has a .cls"
            return
        missing = np.flatnonzero(labels < 0)
        if len(missing):
            self.why_unlabeled = (
                f"{len(missing)} of {len(self)} images without a .cls of 0 or more, such as "
                f"{self.describe(missing[0])}"
            )
            return
        self.labels = labels


def in_archives(*sources):
    """Says in how many archives the images of sources are; empty if they are in none."""
    count = sum(len(getattr(source, "archives", ())) for source in sources)
    return f" in {count} archive{'s' if count > 1 else ''}" if count else ""
