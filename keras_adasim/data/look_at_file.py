"""What kind of image a file holds, and whether it is sound, before anything is trained on it."""

import os
import stat
from typing import NamedTuple

import numpy as np

from keras_adasim.data.careful_decode import (
    bits_of,
    check_jpeg,
    decode_carefully,
    open_image,
    orientation_of,
)
from keras_adasim.data.decode import JPEG_END, PNG_END

MODES = {
    "1": "1-bit",
    "L": "gray",
    "LA": "gray with alpha",
    "P": "palette",
    "PA": "palette with alpha",
    "RGB": "RGB",
    "RGBA": "RGB with alpha",
    "RGBX": "RGB with alpha",
    "CMYK": "CMYK",
}
# How a file of each format ends, where it ends in its own way.
ENDS = {
    "JPEG": JPEG_END,
    "PNG": PNG_END,
    "GIF": b";",
}


class Kind(NamedTuple):
    """What kind of image a file holds.

    Attributes:
        format: String, `"JPEG"` or another one's name; `"NPY"` for an array.
        mode: String, such as `"RGB"` or `"palette"`; channels and type of an array.
        bits: Integer. Bits of a channel.
        orientation: Integer from 1 to 8, as in EXIF; 1 is upright.
    """

    format: str
    mode: str
    bits: int
    orientation: int = 1


class Seen(NamedTuple):
    """What a look at a file tells.

    Attributes:
        kind: `Kind`, or None of a bad file.
        height: Integer. Pixels, as they lie in the file.
        width: Integer.
        full: Whether the image was decoded, else its header and end were looked at.
        reason: String. Why it can't be read; empty if it can.
    """

    kind: Kind | None
    height: int
    width: int
    full: bool
    reason: str = ""


def bad(reason, full):
    """A `Seen` of what can't be read."""
    return Seen(None, 0, 0, full, " ".join(reason.split()) or "no reason given")


def look_at_image(path, full):
    """Looks at an image file of any format that is read here.

    Args:
        path: The file.
        full: Whether to decode it. Otherwise header and end are looked at, and only a file that
            ends in an unusual way is decoded.

    Returns:
        `Seen`.
    """

    def opened():
        check_regular(path)
        return open(path, "rb")

    return look_at_opened(opened, full)


def look_at_opened(opened, full):
    """Looks at an image file that need not have a path, as `look_at_image` does.

    Args:
        opened: Function without arguments, that returns an open binary file, or raises OSError or
            ValueError.
        full: Whether to decode it.

    Returns:
        `Seen`.
    """
    try:
        with opened() as file:
            if not full and (seen := _by_header(file)):
                return seen
            file.seek(0)
            return _by_decoding(file.read())
    except (OSError, ValueError) as error:
        return bad(getattr(error, "strerror", None) or str(error), full)


def look_at_array(path, full, channels, dtype=None):
    """Looks at a .npy file.

    Args:
        path: The file.
        full: Whether to read it. Otherwise header and size are looked at.
        channels: Integer. Channels that it should have, or None.
        dtype: NumPy dtype that it should have, or None.

    Returns:
        `Seen`.
    """
    try:
        check_regular(path)
        array = np.load(path, mmap_mode=None if full else "r", allow_pickle=False)
        shape = array_shape(array, channels, dtype)
    except (OSError, ValueError, EOFError) as error:
        return bad(getattr(error, "strerror", None) or str(error), full)
    if full and array.dtype.kind == "f" and not np.isfinite(array).all():
        return bad("values that are NaN or infinite", full)
    kind = Kind("NPY", f"{shape[2]} x {array.dtype.name}", array.dtype.itemsize * 8)
    return Seen(kind, shape[0], shape[1], full)


def array_shape(array, channels=None, dtype=None):
    """Shape (H, W, C) of the image that an array is.

    Args:
        array: What a .npy file holds.
        channels: Integer. Channels that it should have, or None.
        dtype: NumPy dtype that it should have, or None.

    Raises:
        ValueError: If it isn't one; says what it is.
    """
    if not isinstance(array, np.ndarray):
        raise ValueError("an archive of several arrays")
    shape = (*array.shape, 1) if array.ndim == 2 else array.shape
    if len(shape) != 3 or array.dtype.kind not in "uif" or 0 in shape:
        raise ValueError(f"shape {array.shape} and dtype {array.dtype}")
    if dtype is not None and dtype != array.dtype:
        raise ValueError(f"dtype {array.dtype}")
    if channels not in (None, shape[2]):
        raise ValueError(f"{shape[2]} channels")
    return shape


def check_regular(path):
    """Raises OSError unless a path is that of an ordinary file, which reading can't wait for."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("no ordinary file")


def _by_decoding(contents):
    with open_image(contents) as image:
        seen = _seen(image, contents[:32], full=True)
    if image.format == "JPEG":
        check_jpeg(contents)
    else:
        decode_carefully(contents, 3, from_depth=lambda pixels: pixels)
    return seen


def _by_header(file):
    """What the header tells, or None if the end is unusual."""
    header = file.read(32)
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    tail = file.read()
    file.seek(0)
    with open_image(file) as image:
        if not _ends_well(image, header, tail, size):
            return None
        return _seen(image, header, full=False)


def _ends_well(image, header, tail, size):
    if image.format in ENDS:
        return tail.endswith(ENDS[image.format])
    if image.format == "WEBP":
        return int.from_bytes(header[4:8], "little") + 8 == size
    if image.format == "BMP":
        return int.from_bytes(header[2:6], "little") == size
    return False


def _seen(image, header, full):
    mode = MODES.get(image.mode, "gray" if image.mode.startswith(("I", "F")) else image.mode)
    if "transparency" in image.info and not mode.endswith("with alpha"):
        mode += " with alpha"
    kind = Kind(image.format, mode, bits_of(image, header), orientation_of(image))
    return Seen(kind, image.height, image.width, full)
