"""Which tar archives are meant by a folder, a list, or a pattern such as `train-{000..099}.tar`."""

import os
import pathlib
import re
from typing import NamedTuple

from keras_adasim.data.listing import Listing, named_suffixes, some_names
from keras_adasim.files import expand

TAR = ".tar"
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar.lz4")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_WORDS = re.compile(r"[-_.\s]+|(?<=[a-z])(?=\d)")


class Archives(NamedTuple):
    """Some tar archives.

    Attributes:
        root: `pathlib.Path`, a folder that all are in or below.
        names: List of their paths below it, in order.
        left_out: Dict of names called like archives that are no files, to the reason.
    """

    root: pathlib.Path
    names: list
    left_out: dict

    @property
    def parents(self):
        """The folders above, as of a path."""
        return self.root.parents

    def resolve(self):
        """The folder, as of a path."""
        return self.root.resolve()


def is_archive(path):
    """Whether a path is called like one or several tar archives, not like a folder of them."""
    return str(path).lower().endswith((TAR, *COMPRESSED)) and not os.path.isdir(path)


def find_archives(path):
    """Finds the archives.

    Args:
        path: A folder, which is searched with all below it; a file; a name with `{000..099}` in it;
            or a list of files and such names.

    Returns:
        `Archives`.

    Raises:
        FileNotFoundError: If there is no such file or folder, or no archive in it.
        ValueError: If they are compressed, or one comes twice.
    """
    if isinstance(path, Archives):
        return path
    if not isinstance(path, list | tuple):
        folder = expand(path)
        if folder.is_dir():
            return _in_folder(folder)
        if not is_archive(folder):
            raise FileNotFoundError(_expected(folder, "nothing of that name"))
        path = [path]
    if not path:
        raise ValueError("Expected `path` to be at least one archive. Received: path=[]")
    files = [pathlib.Path(name) for each in path for name in _in_braces(str(expand(each)))]
    _check_uncompressed([str(file) for file in files])
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise FileNotFoundError(
            f"Expected `path` to be tar archives that are there. Received: {some_names(missing)}, "
            f"{len(missing)} of {len(files)} that are not"
        )
    root = os.path.commonpath([file.absolute().parent for file in files])
    names = [os.path.relpath(file.absolute(), root) for file in files]
    twice = sorted({name for name in names if names.count(name) > 1}) if _twice(names) else []
    if twice:
        raise ValueError(f"Expected `path` with each archive once. Received: {some_names(twice)}")
    return Archives(pathlib.Path(root), names, {})


def words_of(name):
    """The words in an archive's name: "imagenet-train-0001.tar" -> {"imagenet", "train", ...}."""
    return set(_WORDS.split(os.path.basename(name).lower()))


def own_archives(folder):
    """Sorted names of the archives in a folder, not below it."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
    return sorted(name for name in names if name.lower().endswith(TAR))


def _in_folder(folder):
    listing = Listing(folder, lambda name: name.lower().endswith((TAR, *COMPRESSED)))
    names = list(listing.all_images())
    _check_uncompressed(names)
    if not names:
        others = f", but with others: {named_suffixes(listing.others)}" if listing.others else ""
        raise FileNotFoundError(_expected(folder, f"a folder without such files{others}"))
    return Archives(folder, names, listing.left_out)


def _check_uncompressed(names):
    compressed = [name for name in names if name.lower().endswith(COMPRESSED)]
    if compressed:
        raise ValueError(
            "Expected tar archives that aren't compressed, since images are read at random: "
            "unpack them to .tar, as by `gunzip`, which costs little space where images are JPEG. "
            f"Received: {some_names(compressed)}"
        )


def _in_braces(name):
    """Yields the names that one with a range in braces means, "{08..10}" with as many digits."""
    found = _RANGE.search(name)
    if found is None:
        yield name
        return
    first, last = found.groups()
    if int(first) > int(last):
        raise ValueError(f"Expected `path` with a range that rises. Received: {found[0]}")
    for number in range(int(first), int(last) + 1):
        digits = str(number).zfill(len(first))
        yield from _in_braces(name[: found.start()] + digits + name[found.end() :])


def _twice(names):
    return len(set(names)) < len(names)


def _expected(path, received):
    return (
        "Expected `path` to be a folder of tar archives (.tar), a list of them, or a name such as "
        f"train-{{000..099}}.tar. Received: path='{path}', {received}"
    )
