"""Decoding of ordinary JPEG and PNG files in a graph."""

import functools

import tensorflow as tf

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
# The marker segment of JFIF comes first, with its usual length, and no EXIF segment follows.
JFIF, JFIF_LENGTH, EXIF = b"\xff\xe0", b"\x00\x10", b"\xff\xe1"
# Bits per channel and kind of a gray or an RGB PNG file, neither interlaced.
# What Pillow, which decodes all other files, takes for a decompression bomb.
MOST_PIXELS = 2 * 89_478_485
PNG_KINDS = (b"\x08\x00\x00\x00\x00", b"\x08\x02\x00\x00\x00")
RATIOS = (1, 2, 4, 8)


def is_jpeg(contents):
    """Whether the bytes in a string scalar tensor start as a JPEG file does."""
    return _starts_with(contents, JPEG_START)


def is_plain(contents):
    """Whether the bytes begin and end as those of a JPEG or PNG file that is decoded fast.

    That is a gray or RGB one of 8 bits per channel, without an orientation.
    """
    jpeg = is_jpeg(contents) & _ends_with(contents, JPEG_END)
    jpeg &= _has(contents, 2, JFIF) & _has(contents, 4, JFIF_LENGTH) & ~_has(contents, 20, EXIF)
    png = _starts_with(contents, PNG_START) & _ends_with(contents, PNG_END)
    png &= _has(contents, 24, PNG_KINDS[0]) | _has(contents, 24, PNG_KINDS[1])
    sides = tf.io.decode_raw(
        tf.strings.substr(contents, tf.minimum(16, tf.strings.length(contents)), 8),
        tf.int32,
        little_endian=False,
        fixed_length=8,
    )
    return jpeg | (png & (tf.reduce_prod(tf.cast(sides, tf.int64)) <= MOST_PIXELS))


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


def decode_jpeg_box(contents, box, channels, size=None):
    """Decodes the part of a JPEG file within a box.

    Args:
        contents: String scalar tensor, the bytes of the file.
        box: (4,) int32 of (top, left, height, width) in pixels.
        channels: 1 for gray or 3 for RGB.
        size: Side of the square that is wanted at last: the part's sides are decoded at 1/2, 1/4 or
            1/8 of their length where at least twice the square's pixels remain.

    Returns:
        (height, width, channels) uint8 tensor, or one reduced to a half, a quarter or an eighth.
    """

    def decode(ratio):
        # In reduced pixels; of those at the edge of the box a part may lie outside.
        return tf.image.decode_and_crop_jpeg(
            contents,
            tf.maximum(box // ratio, [0, 0, 1, 1]),
            channels=channels,
            ratio=ratio,
            dct_method="INTEGER_FAST",
            fancy_upscaling=False,
        )

    box = tf.convert_to_tensor(box, tf.int32)
    if size is None:
        return decode(1)
    reduced = size * tf.constant(RATIOS)
    pixels = tf.reduce_prod(tf.cast(box[2:], tf.float32))
    remain = pixels >= 2 * tf.square(tf.cast(reduced, tf.float32))
    remain &= tf.reduce_min(box[2:]) >= reduced
    place = tf.reduce_sum(tf.cast(remain[1:], tf.int32))
    return tf.switch_case(place, [functools.partial(decode, ratio) for ratio in RATIOS])


def _starts_with(contents, start):
    return _has(contents, 0, start)


def _has(contents, place, part):
    # substr raises if it would start behind the last byte.
    place = tf.minimum(place, tf.strings.length(contents))
    return tf.equal(tf.strings.substr(contents, place, len(part)), part)


def _ends_with(contents, end):
    # Likewise before the first one.
    start = tf.maximum(tf.strings.length(contents) - len(end), 0)
    return tf.equal(tf.strings.substr(contents, start, len(end)), end)
