"""Which images there are in a folder."""

import os


class Listing:
    """What there is in a folder: the folders and images in it, and the images below those.

    Every folder is searched once, however many links lead to it, so that no image comes twice.

    Args:
        root: The folder.
        is_image: Function of a file's name.

    Attributes:
        folders: Sorted names of the folders in it.
        images: Sorted names of the images in it.
        left_out: Paths of what is called like an image and can't be read as a file.
    """

    def __init__(self, root, is_image):
        self.root = root
        self._is_image = is_image
        self._seen = set()
        self.left_out = []
        self.folders, self.images = self._entries("")

    def images_below(self, folder):
        """Sorted paths, from the root on, of all images in a folder and below."""
        found, waiting = [], [folder]
        while waiting:
            folder = waiting.pop()
            folders, images = self._entries(folder)
            waiting += [os.path.join(folder, name) for name in folders]
            found += [os.path.join(folder, name) for name in images]
        return sorted(found)

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
                elif self._is_image(entry.name):
                    kept = images if _is_readable(entry) else self.left_out
                    kept.append(entry.name if kept is images else os.path.join(folder, entry.name))
        return sorted(folders), sorted(images)


def _is_readable(entry):
    # Of a file the listing tells; a link costs a call more.
    return entry.is_file() and (not entry.is_symlink() or os.access(entry.path, os.R_OK))


def printable(path):
    """A path for people, also if its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def some_names(names, most=5):
    """Joins the first names, and says how many more there are."""
    rest = len(names) - most
    return ", ".join(map(printable, names[:most])) + (f" and {rest} more" if rest > 0 else "")
