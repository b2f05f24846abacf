"""Decoding of whatever the fast path doesn't take, by the bytes and not by the name."""

import io
import struct
import warnings
import zlib

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from keras_adasim.data.decode import JPEG_END, JPEG_START

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


def decode_carefully(contents, channels):
    """Decodes an image file of any of `FORMATS`: the first frame, upright, without alpha channel.

    Palettes and CMYK become RGB. Orientation is that of the EXIF tag.

    Args:
        contents: Bytes of the file.
        channels: 1 for gray or 3 for RGB, whatever the file has.

    Returns:
        (H, W, channels) uint8 array.

    Raises:
        ValueError: If it isn't a sound image, or has more than 8 bits per channel.
    """
    contents = as_bytes(contents)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(contents), formats=FORMATS) as image:
                _check_depth(image, contents)
                upright = ImageOps.exif_transpose(image)
                pixels = np.asarray(upright.convert("L" if channels == 1 else "RGB"))
    except (
        OSError,
        SyntaxError,
        EOFError,
        IndexError,
        TypeError,
        OverflowError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise ValueError(_reason(error, contents)) from error
    return pixels[..., None] if channels == 1 else pixels


def is_upright_jpeg(contents):
    """Whether a JPEG file is gray or RGB, and needs no turning, by its head and its end."""
    contents = as_bytes(contents)
    if not (contents.startswith(JPEG_START) and contents.endswith(JPEG_END)):
        return False
    try:
        with Image.open(io.BytesIO(contents), formats=("JPEG",)) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            return image.mode in ("L", "RGB") and orientation in (0, 1)
    except Exception:  # Whatever is wrong will be found when it is decoded.
        return False


def as_bytes(contents):
    """Bytes as `tf.numpy_function` passes them, which is otherwise in a graph than out of one."""
    return contents if isinstance(contents, bytes) else contents.item()


def _check_depth(image, contents):
    bits = 8
    if image.format == "PNG":
        bits = contents[24]
    elif image.format == "TIFF":
        bits = max(np.atleast_1d(image.tag_v2.get(258, 8)))
    elif image.mode.startswith(("I", "F")):
        bits = 16
    if bits > 8:
        raise ValueError(
            f"{bits} bits per channel, of which 8 would be lost. Write it as .npy, scaled to "
            "uint8, for `ArrayFolder`"
        )


def _reason(error, contents):
    if isinstance(error, UnidentifiedImageError):
        return f"{len(contents)} bytes of no known image format"
    return f"{len(contents)} bytes; {error}"
