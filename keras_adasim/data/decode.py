"""Decoding of JPEG and PNG files in a graph."""

import tensorflow as tf

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


def is_jpeg(contents):
    """Whether the bytes in a string scalar tensor start as a JPEG file does."""
    return _starts_with(contents, JPEG_START)


def looks_intact(contents):
    """Whether the bytes start and end as a JPEG or a PNG file does."""
    jpeg = is_jpeg(contents) & _ends_with(contents, JPEG_END)
    return jpeg | (_starts_with(contents, PNG_START) & _ends_with(contents, PNG_END))


def decode_image(contents, channels):
    """Decodes a whole image.

    Args:
        contents: String scalar tensor, the bytes of a JPEG or PNG file.
        channels: 1 for gray or 3 for RGB, whatever the file has.

    Returns:
        (H, W, channels) uint8 tensor.
    """
    # This op tells the format by the bytes and decodes PNG too. Its default is the fast DCT.
    return tf.io.decode_jpeg(contents, channels=channels, dct_method="INTEGER_ACCURATE")


def decode_fast(contents, channels):
    """Decodes as `decode_image` does, JPEG with quicker and slightly less exact arithmetic."""
    return tf.io.decode_jpeg(
        contents, channels=channels, dct_method="INTEGER_FAST", fancy_upscaling=False
    )


def decode_jpeg_box(contents, box, channels):
    """Decodes the part of a JPEG file within `box`, (4,) int32 of (top, left, height, width)."""
    return tf.image.decode_and_crop_jpeg(
        contents, box, channels=channels, dct_method="INTEGER_FAST", fancy_upscaling=False
    )


def _starts_with(contents, start):
    return tf.equal(tf.strings.substr(contents, 0, len(start)), start)


def _ends_with(contents, end):
    # substr raises if it would start before the first byte.
    start = tf.maximum(tf.strings.length(contents) - len(end), 0)
    return tf.equal(tf.strings.substr(contents, start, len(end)), end)
