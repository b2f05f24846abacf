"""Where the images lie in a tar archive, found once and kept in a small file."""

import collections
import hashlib
import json
import os
import pathlib
import time
import zlib

import numpy as np

from keras_adasim.data.tar_headers import read_members
from keras_adasim.files import DAMAGED, write_file
from keras_adasim.names import Names

FORMAT = 1
LABEL = ".cls"
_MOST_OF_LABEL = 64  # Bytes.
# An archive that was changed this short a time ago may be changed once more in the same moment.
_RECENT_NS = 2 * 10**9
_LINK = "pack the file itself, by `tar --dereference --hard-dereference`"
_COLUMNS = {"ends": "<i8", "offsets": "<i8", "sizes": "<i8", "labels": "<i8", "checks": "<u4"}


class TarIndex:
    """The images of an archive, in the order in which they lie there.

    Attributes:
        names: `Names` of the members.
        offsets: (n,) int64 array, where their bytes begin.
        sizes: (n,) int64 array, how many bytes they have.
        labels: (n,) int64 array of what is in the `.cls` member of the same sample; -1 without.
        checks: (n,) uint32 array, CRC-32 of their headers.
        left_out: Dict of members called like images that aren't taken, to the reason.
        others: Counter of the suffixes of other members.
        ended: Whether the archive has its end mark.
    """

    def __init__(self, names, arrays, left_out, others, ended):
        self.names = names
        self.offsets, self.sizes, self.labels, self.checks = (
            arrays[name] for name in ("offsets", "sizes", "labels", "checks")
        )
        self.left_out, self.others, self.ended = left_out, others, ended


def tar_index(path, suffixes):
    """Finds the images in an archive, or recalls where they were.

    The index is kept beside the archive, as a hidden file, or where that can't be written in the
    user's folder of caches; it holds while the archive keeps its name, size and time.

    Args:
        path: The archive, a `pathlib.Path`.
        suffixes: Tuple of the suffixes of images.

    Returns:
        `TarIndex`.

    Raises:
        OSError: If the archive can't be read.
        ValueError: If it is damaged, or changes meanwhile; says where, and not in which archive.
    """
    status = os.stat(path)
    about = {
        "format": FORMAT,
        "name": path.name,
        "size": status.st_size,
        "time": status.st_mtime_ns,
        "suffixes": list(suffixes),
    }
    places = [path.with_name(f".{path.name}.index"), _in_caches(path)]
    for place in places:
        if known := _recalled(place, about):
            return known
    index = _build(path, suffixes, status.st_size)
    now = os.stat(path)
    if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise ValueError("one that is being written")
    if time.time_ns() - status.st_mtime_ns > _RECENT_NS:
        _keep(places, about, index)
    return index


def sample_key(name):
    """Splits a member's name as WebDataset does, before the first dot behind the folders.

    Returns:
        Tuple of the name that all members of a sample share, and the rest without the dot.
    """
    folder, slash, file = name.rpartition("/")
    key, _, rest = file.partition(".")
    return folder + slash + key, rest


def _build(path, suffixes, size):
    with open(path, "rb", buffering=0) as file:
        gathered = _Gathered(suffixes, lambda offset, n: os.pread(file.fileno(), n, offset))
        return gathered.index(read_members(gathered.read, size))


class _Gathered:
    """What is found on the way through an archive."""

    def __init__(self, suffixes, read):
        self._suffixes, self.read = suffixes, read
        self._images, self._labels, self._plain = {}, {}, set()
        self._left_out, self._others = {}, collections.Counter()

    def index(self, members):
        ended = yield_all(members, self._add)
        kept = [image for image in self._images.values() if self._is_the_image(image.name)]
        arrays = {
            "offsets": np.array([image.offset for image in kept], np.int64),
            "sizes": np.array([image.size for image in kept], np.int64),
            "checks": np.array([image.check for image in kept], np.uint32),
            "labels": np.array(
                [self._labels.get(sample_key(image.name)[0], -1) for image in kept], np.int64
            ),
        }
        names = Names(image.name for image in kept)
        return TarIndex(names, arrays, self._left_out, self._others, ended)

    def _add(self, member):
        name = _below_the_root(member.name)
        if any(part.startswith(".") for part in name.split("/")):
            return  # Hidden, as macOS' "._1.jpg".
        key, rest = sample_key(name)
        if name.lower().endswith(self._suffixes):
            self._add_image(member._replace(name=name))
            if "." not in rest:
                self._plain.add(key)
        elif name.lower().endswith(LABEL) and not member.reason:
            self._labels[key] = self._label(member)
        else:
            self._others[os.path.splitext(name)[1].lower()] += 1

    def _add_image(self, member):
        if member.reason:
            link = f": {_LINK}" if member.reason == "a link" else ""
            self._left_out[member.name] = f"{member.reason} in the archive{link}"
            return
        earlier = self._images.pop(member.name, None)
        if earlier is not None:  # The last one is the one that unpacking leaves.
            self._left_out[f"{member.name} at byte {earlier.offset}"] = (
                f"there again at byte {member.offset}, which is taken"
            )
        self._images[member.name] = member

    def _label(self, member):
        content = self.read(member.offset, min(member.size, _MOST_OF_LABEL))
        try:
            label = int(content) if member.size <= _MOST_OF_LABEL else None
        except ValueError:
            label = None
        if label is None or label >= 2**63:
            raise ValueError(
                f"one whose {member.name!r} at byte {member.offset} is no integer, the number of a "
                f"class: {content[:20]!r}"
            )
        return max(label, -1)

    def _is_the_image(self, name):
        """Whether a name is that of its sample's image, not of a mask or a smaller copy of it."""
        key, rest = sample_key(name)
        if "." not in rest or key not in self._plain:
            return True
        self._others[f".{rest.lower()}"] += 1
        return False


def yield_all(generator, function):
    """Calls a function with all that a generator yields; returns what that returns."""
    while True:
        try:
            function(next(generator))
        except StopIteration as end:
            return end.value


def _below_the_root(name):
    while name.startswith(("./", "/")):
        name = name.removeprefix(".").lstrip("/")
    return name


def _in_caches(path):
    above = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    digest = hashlib.blake2b(os.fsencode(path.absolute()), digest_size=16).hexdigest()
    return pathlib.Path(above) / "keras_adasim" / "archives" / f"{digest}.index"


def _keep(places, about, index):
    """Writes the index where it can be; without it the next start takes longer."""
    names = index.names.to_arrays()
    arrays = {"ends": names["offsets"][1:]}
    arrays |= {name: getattr(index, name) for name in _COLUMNS if name != "ends"}
    parts = [arrays[name].astype(kind).tobytes() for name, kind in _COLUMNS.items()]
    body = b"".join([*parts, names["bytes"].tobytes()])
    head = about | {
        "images": len(index.names),
        "crc": zlib.crc32(body),
        "left_out": index.left_out,
        "others": index.others,
        "ended": index.ended,
    }
    for place in places:
        try:
            return write_file(place, json.dumps(head).encode() + b"\n" + body)
        except OSError:
            continue


def _recalled(place, about):
    """The index in a file, or None if there is none of this archive as it is."""
    try:
        head, _, body = place.read_bytes().partition(b"\n")
        head = json.loads(head)
        if any(head[name] != value for name, value in about.items()):
            return None
        if zlib.crc32(body) != head["crc"]:
            return None
        arrays, start = {}, 0
        for name, kind in _COLUMNS.items():
            arrays[name] = np.frombuffer(body, kind, head["images"], start)
            start += arrays[name].nbytes
        packed = {"bytes": np.frombuffer(body, np.uint8, offset=start)}
        packed["offsets"] = np.append(np.int64(0), arrays["ends"])
        others = collections.Counter(head["others"])
        left_out = dict(head["left_out"])
        return TarIndex(Names.from_arrays(packed), arrays, left_out, others, head["ended"])
    except DAMAGED:
        return None
