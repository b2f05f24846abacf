"""Which images there are in a folder."""

import collections
import heapq
import os

# Suffixes of formats that no decoder here knows, and what to do about them.
MODERN = (".avif", ".heic", ".heif")
WAY_OUT = "convert to JPEG or PNG, as by `magick mogrify -format jpg`"


class Listing:
    """What there is in a folder: the folders and images in it, and the images below those.

    Every folder is searched once, however many links lead to it, so that no image comes twice.

    Args:
        root: The folder.
        is_image: Function of a file's name.

    Attributes:
        folders: Sorted names of the folders in it.
        images: Sorted names of the images in it.
        left_out: Dict of paths of what is called like an image and can't be read as a file, to
            the reason.
        others: Counter of the suffixes, in lower case, of files that aren't called like an image;
            hidden ones aside.
    """

    def __init__(self, root, is_image):
        self.root = root
        self._is_image = is_image
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
        folders, images = [], []
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif not self._is_image(entry.name):
                    self.others[os.path.splitext(entry.name)[1].lower()] += 1
                elif reason := _why_unreadable(entry):
                    self.left_out[os.path.join(folder, entry.name)] = reason
                else:
                    images.append(entry.name)
        folders.sort()
        images.sort()
        return folders, images


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
