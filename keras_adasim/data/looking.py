"""A first look at all files of a source, in parallel, remembered from start to start."""

import concurrent.futures
import io
import json
import os
import time
import zipfile

import numpy as np

from keras_adasim.data.look_at_file import Kind
from keras_adasim.files import expand, write_file
from keras_adasim.validation import check_choice

HOW = ("auto", "full", "headers")
# "auto" decodes all images where that takes no longer than this, by a sample.
MOST_SECONDS = 180
SAMPLE = 64
_FILES_AT_ONCE = 128
# Whatever reading a damaged file of looks may raise.
_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile)
_COLUMNS = {
    "keys": np.uint64,
    "fingerprints": np.uint64,
    "kind": np.int16,
    "height": np.int32,
    "width": np.int32,
    "full": np.bool_,
}


class Looks:
    """What was seen of every image.

    Args:
        num_images: Number of images N.

    Attributes:
        kinds: List of the `Kind`s that came up.
        kind: (N,) int16 array, the place in `kinds`; -1 of bad files, -2 where nobody has looked.
        height: (N,) int32 array, in pixels; 0 of bad files.
        width: (N,) int32 array.
        full: (N,) bool array, whether the image was decoded, else header and end were looked at.
        reasons: Dict of the indices of bad files to what is wrong.
        keys: (N,) uint64 array, the hashes of the images' keys.
        fingerprints: (N,) uint64 array, those of the files that were looked at.

    Example:
        ```python
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            keras.utils.save_img(f"{folder}/1.png", np.zeros((8, 8, 3)))
            with open(f"{folder}/2.png", "w") as file:
                file.write("no image")
            looks = ka.data.look_at(ka.data.ImageFolder(folder))
        looks.bad, looks.reasons[1]  # [1], "8 bytes of no known image format"
        ```
    """

    def __init__(self, num_images):
        for name, dtype in _COLUMNS.items():
            setattr(self, name, np.zeros(num_images, dtype))
        self.kind[:] = -2
        self.kinds, self.reasons, self._places = [], {}, {}

    def __len__(self):
        """Number of images."""
        return len(self.kind)

    @property
    def bad(self):
        """Sorted indices of the bad files, an int64 array."""
        return np.flatnonzero(self.kind == -1)

    def add(self, index, seen):
        """Takes down what was seen of an image.

        Args:
            index: Integer.
            seen: `Seen`.
        """
        self.reasons.pop(int(index), None)
        if seen.reason:
            self.reasons[int(index)] = seen.reason
        self.kind[index] = -1 if seen.reason else self._place(seen.kind)
        self.height[index], self.width[index] = seen.height, seen.width
        self.full[index] = seen.full

    @property
    def num_with_alpha(self):
        """Number of images with an alpha channel, which is dropped."""
        return sum(len(i) for kind, i in self.by_kind() if kind.mode.endswith("with alpha"))

    def by_kind(self):
        """Yields every `Kind` that is there, the most frequent first, and its images' indices."""
        numbers, counts = np.unique(self.kind[self.kind >= 0], return_counts=True)
        for number in numbers[np.argsort(-counts, kind="stable")]:
            yield self.kinds[number], np.flatnonzero(self.kind == number)

    def recall(self, earlier):
        """Takes over what an earlier look saw of files that are the same now.

        Args:
            earlier: `Looks`, or None.
        """
        if earlier is None or not len(earlier):
            return
        order = np.argsort(earlier.keys, kind="stable")
        places = np.searchsorted(earlier.keys[order], self.keys)
        places = order[np.minimum(places, len(order) - 1)]
        same = earlier.keys[places] == self.keys
        same &= earlier.fingerprints[places] == self.fingerprints
        same &= (self.fingerprints != 0) & (earlier.kind[places] != -2)
        same = np.flatnonzero(same)
        rows = places[same]
        kinds = [self._place(kind) for kind in earlier.kinds]
        self.kind[same] = np.array([*kinds, -1], np.int16)[earlier.kind[rows]]
        for name in ("height", "width", "full"):
            getattr(self, name)[same] = getattr(earlier, name)[rows]
        for index in same[self.kind[same] == -1]:
            self.reasons[int(index)] = earlier.reasons[int(places[index])]

    def write(self, path):
        """Writes a file that `read` reads."""
        content = io.BytesIO()
        words = json.dumps({"kinds": self.kinds, "reasons": self.reasons})
        np.savez(content, words=words, **{name: getattr(self, name) for name in _COLUMNS})
        write_file(path, content.getvalue())

    @classmethod
    def read(cls, path):
        """Reads what `write` wrote.

        Returns:
            `Looks`, or None if there is no such file, or a damaged one: all is looked at again.
        """
        try:
            with expand(path).open("rb") as file, np.load(file) as arrays:
                looks, words = cls(len(arrays["kind"])), json.loads(str(arrays["words"]))
                for name, dtype in _COLUMNS.items():
                    setattr(looks, name, arrays[name].astype(dtype, casting="equiv"))
            looks.reasons = {int(index): reason for index, reason in words["reasons"].items()}
            for kind in words["kinds"]:
                looks._place(Kind(*kind))
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            zipfile.BadZipFile,
        ):
            return None
        return looks

    def _place(self, kind):
        if kind not in self._places:
            self._places[kind] = len(self.kinds)
            self.kinds.append(kind)
        return self._places[kind]


def look_at(source, how="auto", earlier=None, say=None):
    """Looks at all files of a source in parallel, before anything is trained on them.

    Damage that a decoder reports, or warns of, is seen if all images are decoded; flipped bits that
    decode cleanly never are. By headers and ends, files are seen that are cut off, empty, no
    images, or can't be opened.

    Args:
        source: `Source` of N images.
        how: `"full"` decodes all images, `"headers"` reads their headers and ends, `"auto"` decodes
            them if that takes no longer than three minutes, by a sample.
        earlier: `Looks` at an earlier time: only files that are new, or were changed since, are
            looked at.
        say: Function of a line of text, called if the look takes more than a few seconds.

    Returns:
        `Looks`, or None if the images are no files that can be looked at.

    Raises:
        ValueError: If `how` is unknown.
    """
    check_choice("how", how, HOW)
    if source.look(0, False) is None and source.look(len(source) - 1, False) is None:
        return None
    looks = Looks(len(source))
    looks.keys, looks.fingerprints = source.keys.hashes(), source.fingerprints()
    looks.recall(earlier)
    waiting = np.flatnonzero(looks.kind == -2)
    with concurrent.futures.ThreadPoolExecutor(max(8, 2 * (os.cpu_count() or 1))) as threads:
        sample = waiting[np.linspace(0, len(waiting) - 1, min(SAMPLE, len(waiting)), dtype=int)]
        start = time.monotonic()
        _look(source, looks, np.unique(sample), how != "headers", threads)
        each = (time.monotonic() - start) / max(1, len(sample))
        left = np.setdiff1d(waiting, sample)
        full = how == "full" or (how == "auto" and each * len(left) <= MOST_SECONDS)
        if how == "full" or (full and len(left)):
            left = np.flatnonzero((looks.kind == -2) | ~looks.full)
        if say is not None and each * len(left) > 5:
            word = f"all of {len(left)}" if full else f"headers and ends of {len(left)}"
            say(f"looking at the files, {word}: less than {each * len(left) / 60 + 1:.0f} min ...")
        _look(source, looks, left, full, threads)
    return looks


def _look(source, looks, indices, full, threads):
    """Looks at some images, by all threads."""

    def look(chunk):
        return [source.look(int(index), full) for index in chunk]

    chunks = [indices[i : i + _FILES_AT_ONCE] for i in range(0, len(indices), _FILES_AT_ONCE)]
    if len(chunks) == 1:  # Few files, but maybe slow ones.
        chunks = np.array_split(indices, min(len(indices), 16))
    for chunk, seen in zip(chunks, threads.map(look, chunks), strict=True):
        for index, each in zip(chunk, seen, strict=True):
            if each is not None:
                looks.add(index, each)
