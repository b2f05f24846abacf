"""Decoding of whatever the fast path doesn't take, by the bytes and not by the name."""

import contextlib
import io
import struct
import threading
import warnings
import zlib

import numpy as np
import simplejpeg
import tensorflow as tf
import tifffile
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from keras_adasim.data.decode import JPEG_END, JPEG_START
from keras_adasim.data.listing import WAY_OUT

# What a file of HEIC's kind says that it is.
BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC"}
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


def decode_carefully(contents, channels, from_depth):
    """Decodes an image file of any of `FORMATS`: the first frame, upright, without alpha channel.

    Palettes and CMYK become RGB. Orientation is that of the EXIF tag.

    Args:
        contents: Bytes of the file.
        channels: 1 for gray or 3 for RGB, whatever the file has.
        from_depth: Function that makes uint8 of the (H, W, channels) values of an image with more
            than 8 bits per channel.

    Returns:
        (H, W, channels) uint8 array.

    Raises:
        ValueError: If it isn't a sound image.
    """
    contents = as_bytes(contents)
    with open_image(contents) as image:
        if bits_of(image, contents) > 8:
            return from_depth(deep_pixels(image, contents, channels))
        if image.format == "JPEG":
            check_jpeg(contents)
        elif image.format == "PNG":
            check_png(contents)
        upright = ImageOps.exif_transpose(image)
        pixels = np.asarray(upright.convert("L" if channels == 1 else "RGB"))
    return pixels[..., None] if channels == 1 else pixels


class _WithoutWarnings:
    """Keeps Pillow from warning of what is no damage, such as EXIF tags that it can't read.

    Python's filters are one list for all threads: the first that enters changes it, the last that
    leaves puts it back.
    """

    def __init__(self):
        self._lock, self._inside, self._filters = threading.Lock(), 0, None

    def __enter__(self):
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")

    def __exit__(self, *error):
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._filters.__exit__(*error)


_WITHOUT_WARNINGS = _WithoutWarnings()


@contextlib.contextmanager
def open_image(file):
    """Opens an image of one of `FORMATS`, and gives every error of it one type.

    Args:
        file: Bytes of a file, or an open one.

    Yields:
        A `PIL.Image.Image`, not decoded yet.

    Raises:
        ValueError: If it isn't an image, or whatever is done with it fails.
    """
    try:
        with _WITHOUT_WARNINGS:
            file = io.BytesIO(file) if isinstance(file, bytes) else file
            with Image.open(file, formats=FORMATS) as image:
                yield image
    except (
        OSError,
        SyntaxError,
        EOFError,
        IndexError,
        TypeError,
        OverflowError,
        MemoryError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
        tf.errors.OpError,
    ) as error:
        raise ValueError(_reason(error, file)) from error


def check_jpeg(contents):
    """Raises ValueError if anything about a JPEG file is damaged.

    A decoder fills up with gray what it can't make out, and warns at most; here a warning is an
    error. Decoded at an eighth of its size, which takes half the time.

    Args:
        contents: Bytes of the file.
    """
    simplejpeg.decode_jpeg(contents, "GRAY", fastdct=True, min_height=1, min_width=1, strict=True)


def check_png(contents):
    """Raises ValueError if a part of a PNG file doesn't have its checksum, or the end is missing.

    Args:
        contents: Bytes of the file.
    """
    place, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", contents[place : place + 8])
        data = contents[place + 4 : place + 8 + length]
        (checksum,) = struct.unpack(">I", contents[place + 8 + length : place + 12 + length])
        if zlib.crc32(data) != checksum:
            raise ValueError(f"a damaged part {kind.decode('latin-1')} at byte {place}")
        place += 12 + length


def is_upright_jpeg(contents):
    """Whether a JPEG file is gray or RGB, and needs no turning, by its head and its end."""
    contents = as_bytes(contents)
    if not (contents.startswith(JPEG_START) and contents.endswith(JPEG_END)):
        return False
    try:
        with Image.open(io.BytesIO(contents), formats=("JPEG",)) as image:
            return image.mode in ("L", "RGB") and orientation_of(image) == 1
    except Exception:  # Whatever is wrong will be found when it is decoded.
        return False


def as_bytes(contents):
    """Bytes as `tf.numpy_function` passes them, which is otherwise in a graph than out of one."""
    return contents if isinstance(contents, bytes) else contents.item()


def bits_of(image, header):
    """Bits per channel of an opened image.

    Args:
        image: A `PIL.Image.Image`.
        header: The first 32 bytes of its file.
    """
    if image.format == "PNG":
        return header[24]
    if image.format == "TIFF":
        return int(max(np.atleast_1d(image.tag_v2.get(258, 1))))
    if image.mode == "1":
        return 1
    return 16 if image.mode.startswith(("I", "F")) else 8


def orientation_of(image):
    """Orientation of an opened image, from 1 to 8, as EXIF has it; 1 is upright."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode it, to search behind the pixels.
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in range(1, 9) else 1


def deep_pixels(image, contents, channels):
    """Decodes an image of more than 8 bits per channel, upright.

    Args:
        image: The `PIL.Image.Image`, opened.
        contents: Bytes of its file.
        channels: 1 for gray or 3 for RGB, whatever the file has.

    Returns:
        (H, W, channels) array of the values as they are.

    Raises:
        ValueError: If there is no decoder for it, or values are not finite.
    """
    if image.format == "PNG":
        with tf.device("CPU:0"):
            pixels = tf.io.decode_png(contents, channels=channels, dtype=tf.uint16).numpy()
    elif image.mode.startswith(("I", "F")):
        pixels = np.repeat(np.asarray(image)[..., None], channels, axis=2)
    else:
        pixels = _deep_tiff(image, contents)
        pixels = pixels if channels == 3 else pixels @ np.float32([[0.299], [0.587], [0.114]])
    if not np.isfinite(pixels).all():
        raise ValueError("values that are NaN or infinite")
    return _turned(pixels, orientation_of(image))


def _deep_tiff(image, contents):
    """RGB of 16 bits, which Pillow doesn't read."""
    try:
        pixels = tifffile.imread(io.BytesIO(contents), key=0)
    except Exception as error:  # Whatever it stumbles over.
        raise ValueError(f"a TIFF file that can't be read: {error}") from error
    if pixels.shape[:2] != (image.height, image.width) or pixels.shape[2:] not in ((3,), (4,)):
        raise ValueError(f"a TIFF file of shape {pixels.shape}, neither gray nor RGB")
    return pixels[..., :3]


def _turned(pixels, orientation):
    """Turns (H, W, C) pixels as EXIF has it."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _reason(error, file):
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(32)
    if isinstance(error, UnidentifiedImageError):
        return _unknown(head, size)
    return f"{size} bytes; {error}"


def _unknown(head, size):
    """What a file is that no decoder here knows."""
    if not size:
        return "an empty file"
    if head[4:8] == b"ftyp":
        name = next((name for brand, name in BRANDS.items() if head[8:].startswith(brand)), "MP4")
        return f"{size} bytes of {name}: {WAY_OUT}"
    return f"{size} bytes of no known image format"
