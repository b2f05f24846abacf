"""The small files of a run, and the paths that people type."""

import contextlib
import errno
import os
import pathlib
import pickle
import shutil
import struct
import zipfile
import zlib

import numpy as np

# What an archive may unpack to: weights hardly compress, and small ones do no harm.
MOST_UNPACKED, HARMLESS = 100, 2**28

# What readers raise for a file that isn't what it should be, or whose header lies.
DAMAGED = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError, OSError),
    *(MemoryError, RecursionError, NotImplementedError, RuntimeError),
    *(pickle.UnpicklingError, struct.error, zipfile.BadZipFile, zlib.error),
)


def expand(path, name="path"):
    """Returns a path with `~` as the home folder, and relative to the working directory.

    Args:
        path: String or path-like.
        name: Name of the argument, for the error.

    Raises:
        ValueError: If it is neither, or empty, which would be the working directory.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ValueError(
            f"Expected `{name}` to be a path, a string or path-like. Received: {name}={path!r}"
        )
    return pathlib.Path(path).expanduser()


def check_unpacked(path):
    """Raises ValueError if a zip archive unpacks to far more than it holds, before it is read.

    Args:
        path: The archive.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    packed = os.path.getsize(path)
    if size > max(HARMLESS, MOST_UNPACKED * packed):
        raise ValueError(
            f"Expected {os.fspath(path)!r} to unpack to at most {MOST_UNPACKED} times its size of "
            f"{packed:,} bytes. Received: an archive of {size:,} bytes unpacked, which is a trap "
            "and was not read"
        )


def linked(array, path):
    """Whether an array is the map of a whole .npy file, which is now at `path`, too.

    Args:
        array: NumPy array.
        path: Path that doesn't exist.
    """
    name = getattr(array, "filename", None)
    if name is None:
        return False
    try:
        whole = np.load(name, mmap_mode="r")
        if (whole.shape, whole.strides) != (array.shape, array.strides):
            return False
        os.link(name, path)
    except OSError:  # It is gone, on another disk, or on a file system without links.
        return False
    return True


@contextlib.contextmanager
def written_file(path):
    """Gives a new file to write, which takes the place of `path` once everything is written.

    It has a temporary name in the same folder, is flushed to the disk, and replaces an earlier file
    at once; after an error nothing has changed. Missing folders are made.

    Args:
        path: The file in the end.

    Yields:
        A binary file to write into.
    """
    path = expand(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(path.parent)


def write_file(path, content):
    """Writes a file that is complete or not there, whenever the process is killed.

    Args:
        path: The file; missing folders are made.
        content: String (written as UTF-8) or bytes.
    """
    with written_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def free_space(path):
    """Bytes that are free where a `pathlib.Path` is, or will be."""
    above = next(p for p in (path, *path.absolute().parents) if p.exists())
    return shutil.disk_usage(above).free


def check_space(path, needed, what):
    """Raises OSError unless there is room for so many bytes where a path is, or will be.

    Args:
        path: A `pathlib.Path`, which need not exist.
        needed: Number of bytes.
        what: What they are for.
    """
    free = free_space(path)
    if free < needed:
        raise OSError(
            errno.ENOSPC,
            f"Expected {needed / 1e6:.1f} MB of free space for {what}. Received: "
            f"{free / 1e6:.1f} MB; make room there",
            str(path),
        )


def flush_folder(path):
    """Waits until the names in a folder are on the disk, where the system can tell."""
    if os.name != "posix":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
