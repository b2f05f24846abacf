"""A folder of image files."""

import functools
import os
import sys

import numpy as np
import tensorflow as tf
from absl import logging

from keras_adasim.data.encoded_source import EncodedSource, check_gray_or_rgb
from keras_adasim.data.file_fingerprints import file_fingerprints
from keras_adasim.data.kept_listing import keep_listing, kept_listing, listing_file
from keras_adasim.data.listing import MODERN, Listing, named_suffixes, printable, some_names
from keras_adasim.data.look_at_file import look_at_image
from keras_adasim.files import expand
from keras_adasim.keys import Keys
from keras_adasim.names import Names


class ImageFolder(EncodedSource):
    """The image files of a folder, with a label per sub-folder.

    If the folder holds sub-folders and no image of its own, each sub-folder, searched with
    everything below it, is a class; classes are numbered in the order of their names. A sub-folder
    without images is no class, and a warning names it. If the folder holds images of its own there
    are no labels: neither are those images of a class, nor need the sub-folders be classes.
    Sub-folders are searched all the same, and a warning names the images beside them.

    Images are sorted by class and path, so that an image's index stays its own from run to run as
    long as no file comes or goes. Hidden files and folders are passed over, and so are files with
    other suffixes than those in `suffixes`, in upper or lower case. What an image is, its bytes
    tell. Links are followed, but to a folder that was searched before. What is called like an image
    and can't be read as a file, such as a link to nothing, is left out, and a warning names it.
    Files of HEIC and AVIF are left out like any other suffix, and named by a warning.

    Args:
        path: The folder.
        channels: 3 to decode all images to RGB, 1 to decode them to gray.
        listings: A folder in which `keep_listing` wrote: folders that haven't changed since are
            not listed again. None to list all.

    Attributes:
        path: The folder, `~` expanded.
        paths: `Names` of N strings, the files' paths below the folder.
        class_names: List of strings, or None without labels.
        why_unlabeled: String. Why there are no labels, or None.
        left_out: Dict of paths below the folder of what is called like an image and can't be read
            as a file, to the reason.
        others: Counter of the suffixes of all other files.

    Raises:
        FileNotFoundError: If there is no such folder, or no image in it.
        NotADirectoryError: If the path is a file.
        PermissionError: If a folder can't be listed.
        ValueError: If `channels` is neither 1 nor 3.

    Example:
        ```python
        import pathlib, tempfile

        with tempfile.TemporaryDirectory() as folder:
            for name in ("cat", "dog"):
                (pathlib.Path(folder) / name).mkdir()
                keras.utils.save_img(f"{folder}/{name}/1.png", np.zeros((8, 8, 3)))
            source = ka.data.ImageFolder(folder)
            source.labels, source.class_names  # [0, 1], ["cat", "dog"]
        ```
    """

    suffixes = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")

    def __init__(self, path, channels=3, listings=None):
        self.channels = check_gray_or_rgb(channels)
        self.path = self._checked_folder(path)
        self._root, self._tensors = os.fsencode(self.path) + b"/", None
        known = None if listings is None else kept_listing(self.listing_file(listings))
        listing = Listing(self.path, self._is_image, known)
        self.left_out, self.others = listing.left_out, listing.others
        self.paths, classes = _paths_and_classes(listing)
        self._found, self._is_new = listing.found, listing.is_new
        self._warn_of_left_out()
        if not len(self.paths):
            found = f", but with others: {named_suffixes(self.others)}" if self.others else ""
            raise FileNotFoundError(
                self._expected(self.path, f"a folder without such files{found}")
            )
        if listing.images:
            self.why_unlabeled = self._reason(listing)
            return
        self.class_names = [name for name, count in classes.items() if count]
        counts = [count for count in classes.values() if count]
        self.labels = np.repeat(np.arange(len(counts)), counts)
        self._warn_of_empty([name for name, count in classes.items() if not count])

    def __len__(self):
        """Number of images."""
        return len(self.paths)

    def read(self, index):
        """Reads the bytes of a file: int64 scalar tensor -> string scalar tensor."""
        names, offsets = self._packed()
        start = offsets[index]
        name = tf.strings.substr(names, start, offsets[index + 1] - start)
        return tf.io.read_file(tf.strings.join([self._root, name]))

    def describe(self, index):
        """Names an image by its path."""
        return printable(self.path / self.paths[index])

    def listing_file(self, listings):
        """The file of this folder's listing in a folder of listings."""
        return listing_file(listings, self.path, self.suffixes)

    def keep_listing(self, file):
        """Writes which files there are, unless it is known there already.

        Args:
            file: A `pathlib.Path`, that `listing_file` gives.

        Raises:
            OSError: If it can't be written.
        """
        if self._is_new or not file.exists():
            keep_listing(file, self._found, self.paths)

    def contents(self, index):
        """Reads the bytes of a file."""
        with open(self._path(index), "rb") as file:
            return file.read()

    def look(self, index, full):
        """Looks at a file, as `look_at_image` does."""
        return look_at_image(self._path(index), full)

    @functools.cached_property
    def keys(self):
        """`Keys`: the paths below the folder, with "/" between their parts."""
        if os.sep == "/":
            return Keys(self.paths)
        return Keys(path.replace(os.sep, "/") for path in self.paths)

    def fingerprints(self, indices=None):
        """(n,) uint64 array: size, time of the last change and number of all files, or of some."""
        paths = self.paths if indices is None else self.paths[np.asarray(indices, np.int64)]
        return file_fingerprints(os.path.join(self.path, path) for path in paths)

    def _path(self, index):
        return os.path.join(self.path, self.paths[index])

    @tf.autograph.experimental.do_not_convert
    def _packed(self):
        """All paths as one string, and where each begins."""
        if self._tensors is None:
            content, offsets = _bytes_of(self.paths)
            # Not a constant in every graph that reads it, and not on the accelerator.
            with tf.init_scope(), tf.device("CPU:0"):
                self._tensors = tf.constant(content), tf.constant(offsets)
        return self._tensors

    def _checked_folder(self, path):
        path = expand(path)
        if not path.exists():
            raise FileNotFoundError(self._expected(path, "nothing of that name"))
        if not path.is_dir():
            raise NotADirectoryError(self._expected(path, "a file; pass the folder that it is in"))
        return path

    def _expected(self, path, received):
        return (
            f"Expected `path` to be a folder with images ({', '.join(self.suffixes)}), either in "
            "one sub-folder per class or directly in it; check the spelling, and that the data set "
            f"is unpacked. Received: path='{path}', {received}"
        )

    def _reason(self, listing):
        if len(listing.images) == len(self.paths):
            return f"no sub-folder with images in {self.path}"
        reason = f"{some_names(listing.images)} beside the sub-folders of {self.path}"
        logging.warning(
            "No labels, because of images that are in no class: %s. Move them if the sub-folders "
            "are classes.",
            reason,
        )
        return reason

    def _warn_of_left_out(self):
        if self.left_out:
            logging.warning(
                "Left out of %s, as they can't be read: %s.",
                self.path,
                some_names(sorted(self.left_out)),
            )
        modern = {suffix: self.others[suffix] for suffix in MODERN if self.others[suffix]}
        if modern:
            logging.warning("Left out of %s: %s.", self.path, named_suffixes(modern))

    def _warn_of_empty(self, folders):
        if folders:
            logging.warning(
                "Sub-folders of %s without images, which are no classes: %s.",
                self.path,
                some_names(folders),
            )

    def _is_image(self, name):
        return not name.startswith(".") and name.lower().endswith(self.suffixes)


def _paths_and_classes(listing):
    """All paths of a listing as `Names`, and a dict of the folders in it to their images."""
    if listing.images:
        return Names(listing.all_images()), {}
    counts = {}

    def paths():
        for folder in listing.folders:
            counts[folder] = 0
            for path in listing.images_below(folder):
                counts[folder] += 1
                yield path

    return Names(paths()), counts


def _bytes_of(paths):
    """Paths as the file system has them, one behind the other, and where each begins."""
    arrays = paths.to_arrays()
    content = arrays["bytes"].tobytes()
    if b"\xed" not in content and sys.getfilesystemencoding() == "utf-8":
        return content, arrays["offsets"]
    # Of names that are no UTF-8, which `Names` have as surrogates, the system's bytes are others.
    encoded = [os.fsencode(path) for path in paths]
    return b"".join(encoded), np.cumsum([0, *map(len, encoded)])
