"""Classes of images in archives, by the folders that they lie in there."""

import os

import numpy as np


def folder_labels(archives, members):
    """Labels images by the folders in their names.

    A folder that holds a whole archive and is called like it is no class, where there are several
    archives. Neither are folders that all images share, as long as there are others below.

    Args:
        archives: List of the archives' names.
        members: List of the names of each archive's members.

    Returns:
        Tuple of the labels, an (N,) int64 array, the names of the classes, and None; or of None
        twice and why there are no labels.
    """
    numbers, places, called_alike = {}, [], 0
    for archive, names in zip(archives, members, strict=True):
        folders = [name.rpartition("/")[0] for name in names]
        own = os.path.splitext(os.path.basename(archive))[0]
        if len(archives) > 1 and folders and all(f.partition("/")[0] == own for f in folders):
            folders, called_alike = [f.partition("/")[2] for f in folders], called_alike + 1
        places.append(np.array([numbers.setdefault(f, len(numbers)) for f in folders], np.int32))
    parts = _without_shared([folder.split("/") if folder else [] for folder in numbers])
    if not all(parts):
        if called_alike and not any(parts):
            return None, None, "no folders in archives but such as are called like them"
        return None, None, "images in no folder" if any(parts) else "no folders in the archives"
    names = sorted({folder[0] for folder in parts})
    label_of = {name: label for label, name in enumerate(names)}
    labels = np.array([label_of[folder[0]] for folder in parts], np.int64)
    return labels[np.concatenate(places)], names, None


def _without_shared(parts):
    """Takes away the first parts of all that are the same, but not the last one of any."""
    while min(map(len, parts)) > 1 and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    return parts
