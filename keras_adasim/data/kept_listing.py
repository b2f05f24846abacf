"""A folder's listing, kept from start to start of a run."""

import collections
import hashlib
import io
import json
import os

import numpy as np

from keras_adasim.data.listing import Found
from keras_adasim.files import DAMAGED, expand, write_file
from keras_adasim.names import Names

FORMAT = 1


def listing_file(where, root, suffixes):
    """The file, in the folder `where`, of the listing of another folder."""
    about = os.fsencode(os.path.abspath(root)) + b"\0" + "".join(suffixes).encode()
    return expand(where) / f"listing-{hashlib.blake2b(about, digest_size=8).hexdigest()}.npz"


def keep_listing(file, found, paths):
    """Writes what was found in a folder.

    Args:
        file: The file to write.
        found: Dict of folders to `Found`, as a `Listing` has it.
        paths: `Names` of the images' paths.
    """
    numbers = {folder: number for number, folder in enumerate(found)}
    folder_of = (numbers[path.rpartition(os.sep)[0]] for path in paths)
    folder_of = np.fromiter(folder_of, np.int32, len(paths))
    order = np.argsort(folder_of, kind="stable")
    sure = np.array([bool(each.stamp) for each in found.values()])
    order = order[sure[folder_of[order]]]
    counts = np.bincount(folder_of[order], minlength=len(found))
    names = Names(path.rpartition(os.sep)[2] for path in paths[order])
    folders = [
        (folder, each.stamp, each.folders, each.others, int(counts[number]))
        for number, (folder, each) in enumerate(found.items())
        if each.stamp
    ]
    content = io.BytesIO()
    words = json.dumps({"format": FORMAT, "folders": folders})
    np.savez(content, words=words, **names.to_arrays())
    write_file(file, content.getvalue())


def kept_listing(file):
    """Reads what `keep_listing` wrote.

    Returns:
        Dict of folders to `Found`; empty if there is no such file, or a damaged one: all is listed
        again.
    """
    try:
        with file.open("rb") as opened, np.load(opened) as arrays:
            words, names = json.loads(str(arrays["words"])), Names.from_arrays(arrays)
        if words["format"] != FORMAT:
            return {}
        found, start = {}, 0
        for folder, stamp, folders, others, count in words["folders"]:
            some = names[start : start + count]
            found[folder] = Found(tuple(stamp), folders, some, collections.Counter(others))
            start += count
        return found if start == len(names) else {}
    except DAMAGED:
        return {}
