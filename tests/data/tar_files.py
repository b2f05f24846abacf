"""Tar archives of small images, for tests."""

import io
import os
import tarfile

import tensorflow as tf

from tests.data.image_files import smooth_image


def encoded(seed=0, height=8, width=8, form="png"):
    """Bytes of an image file."""
    image = smooth_image(height, width, seed=seed)
    return getattr(tf.io, f"encode_{form}")(image).numpy()


def write_tar(path, members, form=tarfile.USTAR_FORMAT, mode="w"):
    """Writes an archive that is older than a moment.

    Args:
        path: The archive.
        members: Dict of names to bytes, or a list of pairs, whose second may be a `TarInfo`.
        form: One of tarfile's formats.
        mode: One of tarfile's modes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = members.items() if isinstance(members, dict) else members
    with tarfile.open(path, mode, format=form) as archive:
        for name, content in pairs:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_700_000_000
            archive.addfile(member, io.BytesIO(content))
    age(path)


def age(path, seconds=1_700_000_000):
    """Gives a file an old time, as an index is kept of archives that aren't being written."""
    os.utime(path, (seconds, seconds))
