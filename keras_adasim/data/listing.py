"""Which images there are in a folder."""

import collections
import heapq
import os
import time
from typing import NamedTuple

# Suffixes of formats that no decoder here knows, and what to do about them.
MODERN = (".avif", ".heic", ".heif")
WAY_OUT = "convert to JPEG or PNG, as by `magick mogrify -format jpg`"


# A folder that was changed this short a time ago may be changed once more in the same moment.
RECENT_NS = 2 * 10**9


class Found(NamedTuple):
    """What there is in a folder.

    Attributes:
        stamp: Tuple of integers that change when entries come or go; empty where that would not
            tell everything.
        folders: Sorted names of the folders in it.
        names: Sorted names of the images in it.
        others: Counter of the suffixes of other files.
    """

    stamp: tuple
    folders: list
    names: list
    others: collections.Counter


class Listing:
    """What there is in a folder: the folders and images in it, and the images below those.

    Every folder is searched once, however many links lead to it, so that no image comes twice.

    Args:
        root: The folder.
        is_image: Function of a file's name.
        known: Dict of folders to `Found`, with names, of an earlier listing: those whose times are
            the same aren't listed again.

    Attributes:
        folders: Sorted names of the folders in it.
        images: Sorted names of the images in it.
        left_out: Dict of paths of what is called like an image and can't be read as a file, to
            the reason.
        others: Counter of the suffixes, in lower case, of files that aren't called like an image;
            hidden ones aside.
        found: Dict of all folders, from the root on, to `Found`, without names.
        is_new: Whether a folder was listed, not taken from `known`.
    """

    def __init__(self, root, is_image, known=None):
        self.root = root
        self._is_image = is_image
        self._known = dict(known or {})
        self.found, self.is_new = {}, False
        self._seen = set()
        self.left_out = {}
        self.others = collections.Counter()
        self.folders, self.images = self._entries("")

    def all_images(self):
        """Yields the paths, from the root on, of all images in it and below, in their order."""
        return self._below("", self.folders, self.images)

    def images_below(self, folder):
        """Yields the paths, from the root on, of all images in a folder and below, in order."""
        return self._below(folder, *self._entries(folder))

    def _below(self, folder, folders, images):
        """Yields paths in their order, with the names of no more than some folders in memory."""
        waiting = [_merged(folder, folders, images)]
        while waiting:
            for path, is_folder in waiting[-1]:
                if is_folder:
                    waiting.append(_merged(path, *self._entries(path)))
                    break
                yield path
            else:
                waiting.pop()

    def _entries(self, folder):
        """Names of the folders and of the images in a folder; none if it was searched before."""
        path = os.path.join(self.root, folder)
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in self._seen:
            return [], []
        self._seen.add((status.st_dev, status.st_ino))
        known = self._known.pop(folder, None)
        if known is None or known.stamp != stamp_of(status):
            self.is_new = True
            known = self._listed(folder, path, status)
        self.others.update(known.others)
        self.found[folder] = known._replace(names=())
        return list(known.folders), list(known.names)

    def _listed(self, folder, path, status):
        """Lists a folder: `Found`."""
        folders, images, others, sure = [], [], collections.Counter(), True
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                # What is behind a link changes without a trace in the folder.
                sure = sure and not entry.is_symlink()
                if entry.is_dir():
                    folders.append(entry.name)
                elif not self._is_image(entry.name):
                    others[os.path.splitext(entry.name)[1].lower()] += 1
                elif reason := _why_unreadable(entry):
                    self.left_out[os.path.join(folder, entry.name)] = reason
                    sure = False
                else:
                    images.append(entry.name)
        folders.sort()
        images.sort()
        stamp = stamp_of(status)
        is_old = time.time_ns() - max(stamp[:2]) > RECENT_NS and stamp == stamp_of(os.stat(path))
        return Found(stamp if sure and is_old else (), folders, images, others)


def stamp_of(status):
    """What changes of a folder when entries come or go, or it is another folder."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _merged(folder, folders, images):
    """Yields the paths of folders and images as the paths below them are sorted."""
    named = ((name + os.sep, True) for name in sorted(folders, key=lambda name: name + os.sep))
    for name, is_folder in heapq.merge(named, ((name, False) for name in images)):
        path = os.path.join(folder, name)
        yield (path.rstrip(os.sep) if is_folder else path), is_folder


def _why_unreadable(entry):
    # Of a file the listing tells; a link costs a call more.
    if not entry.is_file():
        return "a link to nothing" if entry.is_symlink() else "no ordinary file"
    if entry.is_symlink() and not os.access(entry.path, os.R_OK):
        return "a link to a file that can't be read"
    return ""


def printable(path):
    """A path for people, also if its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def some_names(names, most=5):
    """Joins the first names, and says how many more there are."""
    rest = len(names) - most
    return ", ".join(map(printable, names[:most])) + (f" and {rest} more" if rest > 0 else "")


def named_suffixes(counts):
    """Says how many files there are of each suffix, and what to do about HEIC and AVIF.

    Args:
        counts: Dict of suffixes to how many files have them.
    """
    most_first = sorted(counts, key=lambda suffix: (-counts[suffix], suffix))
    text = ", ".join(f"{counts[suffix]} {suffix or 'without suffix'}" for suffix in most_first)
    modern = [suffix for suffix in MODERN if suffix in counts]
    return f"{text} ({', '.join(modern)}: {WAY_OUT})" if modern else text
