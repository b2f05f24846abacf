"""A folder, or a file, that is written as a whole, or not at all."""

import contextlib
import glob
import os
import re
import shutil

from keras_adasim.files import expand, flush_folder


def check_path(path, overwrite, marks):
    """Returns the path of a folder to write, if nothing of a stranger's would be lost.

    Args:
        path: Folder to write.
        overwrite: Whether an earlier folder of the same kind is replaced.
        marks: Names of files that such a folder holds.

    Raises:
        FileExistsError: If `path` is taken and `overwrite` isn't set, or something else is there.
    """
    path = expand(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return path
    received = f"Received: path={str(path)!r}, which is taken"
    if not overwrite:
        raise FileExistsError(
            f"Expected `path` to be a new or empty folder. {received}. Pass `overwrite=True` to "
            "replace an earlier export, or choose another path."
        )
    if not all((path / name).is_file() for name in marks):
        raise FileExistsError(
            f"Expected `path` to be new, empty, or an earlier export to replace. {received} by "
            f"something else: it holds no {' and '.join(marks)}. Choose another path."
        )
    return path


def check_file(path, overwrite, suffix):
    """Returns the path of a file to write, if nothing would be lost.

    Args:
        path: File to write.
        overwrite: Whether an earlier one is replaced.
        suffix: How its name ends.

    Raises:
        ValueError: If its name ends otherwise.
        FileExistsError: If `path` is taken and `overwrite` isn't set, or is a folder.
    """
    path = expand(path)
    if path.suffix != suffix:
        raise ValueError(
            f"Expected `path` to be a file that ends in {suffix}. Received: path={str(path)!r}"
        )
    if path.is_dir() or (path.exists() and not overwrite):
        what = "a folder" if path.is_dir() else "which is taken"
        raise FileExistsError(
            f"Expected `path` to be a new file. Received: path={str(path)!r}, {what}. Pass "
            "`overwrite` to replace a file, or choose another path."
        )
    return path


@contextlib.contextmanager
def written_beside(path):
    """Gives the name of a new file beside `path`, which takes its place once all has gone well.

    Args:
        path: The file in the end.

    Yields:
        Path of a file to write, with the same suffix; after an error it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.new{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(path.parent)


@contextlib.contextmanager
def written_whole(path):
    """Gives a new folder beside `path`, which takes its place once everything is written.

    At no moment does `path` hold half of it; after an error it is as it was.

    Args:
        path: The folder in the end.

    Yields:
        Path of an empty folder to write into.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.new"
    replaced = path.parent / f".{path.name}.{os.getpid()}.old"
    _remove_leftovers(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            os.replace(path, replaced)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)


def _remove_leftovers(path):
    """Removes what killed processes left, among them one that had this one's number by chance."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        match = re.fullmatch(r"\.(\d+)\.(new|old)", left.name.removeprefix(f".{path.name}"))
        if match and (int(match[1]) == os.getpid() or not _is_alive(int(match[1]))):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # Somebody else's.
    return True
