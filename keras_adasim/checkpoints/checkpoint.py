"""One checkpoint: arrays in files, and a manifest that tells whether they are whole."""

import functools
import json
import os
import re
import zipfile
import zlib

import numpy as np

from keras_adasim.checkpoints.large_array import LargeArray
from keras_adasim.files import flush_folder, linked, write_file
from keras_adasim.version import __version__

FORMAT = 4
READABLE = (3, 4)  # Before 4 no array had a file of its own.
MANIFEST = "manifest.json"
NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?")
_CHUNK = 2**24


class DamagedError(ValueError):
    """A checkpoint isn't as it was written."""


class Checkpoint:
    """A folder `epoch-N`, or `epoch-N-step-S` within epoch N + 1.

    It has these files:

    - `manifest.json`: what it is of, and the size and CRC-32 of every other file;
    - `GROUP.npz`: the arrays of a group of variables, and `GROUP.NAME.npy` for each large one; or
      `GROUP-0-of-N.npz` and so on, shares of their rows, each written by who owns it;
    - `window-E.npy`: the neighbors that epoch E recorded, which later checkpoints share as a hard
      link, for they never change.

    Args:
        path: The folder, a `pathlib.Path`.

    Attributes:
        path: The folder.
        place: Tuple of finished epochs and of steps done since, by which checkpoints are sorted.
    """

    def __init__(self, path):
        self.path = path
        epochs, steps = NAME.fullmatch(path.name).groups()
        self.place = int(epochs), int(steps or 0)

    @staticmethod
    def name(epochs, steps):
        """The folder's name after so many epochs, and steps of the next one."""
        return f"epoch-{epochs}-step-{steps}" if steps else f"epoch-{epochs}"

    @property
    def told(self):
        """What it comes after, in words."""
        return told(*self.place)

    @functools.cached_property
    def manifest(self):
        """Dict of what the checkpoint is of, and of its files.

        Raises:
            DamagedError: If it isn't there, or not as it was written.
            ValueError: If another version of the package wrote it.
        """
        try:
            manifest = json.loads((self.path / MANIFEST).read_text())
            known = manifest["format"] in READABLE
            received = f"format {manifest['format']} of version {manifest['keras_adasim']}"
        except FileNotFoundError:
            known = not (self.path / "state.json").exists()
            received = "one of an older format"
            if known:
                raise DamagedError(f"no {MANIFEST}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"a damaged {MANIFEST} ({error})") from error
        if not known:
            raise ValueError(
                f"Expected {self.path} to be a checkpoint of format {FORMAT}, as version "
                f"{__version__} of keras_adasim writes it. Received: {received}. Continue the run "
                "with that version."
            )
        return manifest

    @property
    def score(self):
        """What the epoch was worth, the more the better; None if that isn't known."""
        return self.manifest["score"]

    def looks_whole(self):
        """Whether all files are there, in their sizes; their content isn't read."""
        try:
            self._check_sizes()
        except DamagedError:
            return False
        return True

    def check(self):
        """Reads everything.

        Raises:
            DamagedError: If a file is missing, or not as it was written; names it.
        """
        self._check_sizes()
        for name, told in self.manifest["files"].items():
            if _crc32(self.path / name) != told["crc32"]:
                raise DamagedError(f"{name}, which isn't as it was written")

    def _check_sizes(self):
        for name, told in self.manifest["files"].items():
            try:
                size = os.path.getsize(self.path / name)
            except OSError as error:
                raise DamagedError(f"{name}: {error.strerror}") from error
            if size != told["bytes"]:
                raise DamagedError(f"{name} with {size} bytes instead of {told['bytes']}")

    def groups(self):
        """Names of the groups."""
        return [name.removesuffix(".npz") for name in self.manifest["files"] if ".npz" in name]

    def group(self, name):
        """Yields the name and the array of each member of a group, by name; large ones are maps."""
        path, large = self.path / f"{name}.npz", {}
        for file in self.manifest["files"]:
            if file.startswith(f"{name}.") and file.endswith(".npy"):
                large[file.removeprefix(f"{name}.").removesuffix(".npy")] = self.path / file
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for key in sorted([*arrays.files, *large]) if large else arrays.files:
                yield key, _load(large[key]) if key in large else arrays[key]

    def shards(self, name):
        """Names of the groups that a group is kept as, in the order of their rows.

        It is one of its own name, or `NAME-0-of-N` and so on; none if there is nothing of it.
        """
        found = [re.fullmatch(rf"{name}(?:-(\d+)-of-\d+)?", group) for group in self.groups()]
        found = [match for match in found if match]
        return [match[0] for match in sorted(found, key=lambda match: int(match[1] or 0))]

    def joined(self, name):
        """The arrays of a group, with the rows of all its shards; [] if there is nothing of it."""
        shards = [[array for _, array in self.group(shard)] for shard in self.shards(name)]
        if len(shards) == 1:
            return shards[0]
        return [np.concatenate(arrays) for arrays in zip(*shards, strict=True)]

    def window(self, epoch):
        """The records of an epoch, as they were given to `write`; a map of the file."""
        return _load(self.path / _window_file(epoch))

    @classmethod
    def write(cls, path, groups, windows, facts, earlier=None, same=(), others=()):
        """Writes a checkpoint into a new folder, but for what makes it one.

        Afterwards nothing is needed of what `groups` and `windows` read, but for large arrays that
        stay as they are: those the function that is returned reads.

        Args:
            path: The folder.
            groups: Dict of the groups' names to functions that yield names and arrays.
            windows: Dict of epochs to functions that return their records.
            facts: Dict of what else the manifest has.
            earlier: A `Checkpoint` whose records of the same epochs are the same, or None.
            same: Names of the groups that are the same there, too.
            others: Paths of files of groups that are written already, and are moved here.

        Returns:
            Function that writes what stays, sums up all files, waits until they are on the disk,
            and writes the manifest. It may be called in another thread.

        Raises:
            OSError: If it can't be written; also from that function.
        """
        path.mkdir(parents=True)
        files, later = {}, []
        for epoch, records in windows.items():
            name = _window_file(epoch)
            if earlier is not None and _linked(earlier.path / name, path / name):
                files[name] = earlier.manifest["files"][name]
            else:
                _write_npy(path / name, records())
                files[name] = None
        for group, arrays in groups.items():
            name = f"{group}.npz"
            if group in same and _linked(earlier.path / name, path / name):
                files[name] = earlier.manifest["files"][name]
            else:
                files |= dict.fromkeys(write_group(path, group, arrays(), later))
        for source in others:
            os.replace(source, path / source.name)
            files[source.name] = None

        def seal():
            for write in later:
                write()
            told = {name: facts or summed_up(path / name) for name, facts in files.items()}
            manifest = {"format": FORMAT, "keras_adasim": __version__, **facts, "files": told}
            write_file(path / MANIFEST, json.dumps(manifest, indent=2) + "\n")
            flush_folder(path)

        return seal


def shard_name(name, shard, num_shards):
    """Name of the group that holds a share of the rows of another, or all of them."""
    return name if num_shards == 1 else f"{name}-{shard}-of-{num_shards}"


def told(epochs, steps):
    """So many epochs, and steps of the next one, in words."""
    return f"epoch {epochs} and {steps} steps" if steps else f"epoch {epochs}"


def write_group(folder, group, arrays, later=None):
    """Writes a group into one file, and large arrays into files of their own.

    Args:
        folder: Existing folder.
        group: Name of the group.
        arrays: Iterable of names and arrays. A dtype that NumPy doesn't know becomes bytes.
        later: List that gets functions which write large arrays that stay as they are; None writes
            them too.

    Returns:
        List of the files' names.
    """
    names = [f"{group}.npz"]
    with zipfile.ZipFile(folder / names[0], "w", allowZip64=True) as archive:
        for name, array in arrays:
            if isinstance(array, LargeArray):
                names.append(f"{group}.{name}.npy")
                write = functools.partial(array.write, folder / names[-1])
                write() if later is None or not array.stays else later.append(write)
                continue
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    return names


def summed_up(path):
    """Waits until a file is on the disk; returns what a manifest says of it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return {"bytes": os.path.getsize(path), "crc32": _crc32(path)}


def _write_npy(path, array):
    if not linked(array, path):
        with path.open("wb") as file:
            np.lib.format.write_array(file, array, allow_pickle=False)


def _load(path):
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _linked(source, target):
    """Whether a file is now there under another name too; not every file system can."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def _window_file(epoch):
    return f"window-{epoch:06}.npy"


def _crc32(path):
    with path.open("rb") as file:
        value = 0
        while chunk := file.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return value
