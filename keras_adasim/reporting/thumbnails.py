"""Small pictures as data URIs."""

import base64
import io

import numpy as np
import PIL.Image

# Black, blue, green, yellow: even steps of lightness.
HEAT = ((13, 8, 50), (49, 54, 149), (33, 144, 141), (122, 209, 81), (253, 231, 37))


def jpeg(pixels, quality=72):
    """A data URI of (H, W, C) uint8 pixels of any number of channels."""
    return _uri(PIL.Image.fromarray(in_color(pixels)), "JPEG", quality=quality)


def sheet(images, columns, side):
    """A data URI of all images (n, S, S, C), `side` pixels each, row by row."""
    rows = -(-len(images) // columns)
    canvas = PIL.Image.new("RGB", (columns * side, rows * side))
    for place, pixels in enumerate(images):
        image = PIL.Image.fromarray(in_color(pixels)).resize((side, side), PIL.Image.BOX)
        canvas.paste(image, (place % columns * side, place // columns * side))
    return _uri(canvas, "JPEG", quality=68)


def heat(values):
    """A data URI of (rows, columns) floats from 0 to 1, one pixel each."""
    image = PIL.Image.fromarray(np.round(255 * np.clip(values, 0, 1)).astype(np.uint8))
    image = image.convert("P")
    steps = np.linspace(0, len(HEAT) - 1, 256)
    ends = np.array(HEAT, float)
    palette = np.stack([np.interp(steps, range(len(HEAT)), end) for end in ends.T], axis=1)
    image.putpalette(np.round(palette).astype(np.uint8).tobytes())
    return _uri(image, "PNG", optimize=True)


def in_color(pixels):
    """Three channels of any number: gray three times, of more than three the first three."""
    pixels = np.asarray(pixels, np.uint8)
    if pixels.shape[-1] < 3:
        return np.repeat(pixels[..., :1], 3, axis=-1)
    return np.ascontiguousarray(pixels[..., :3])


def _uri(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{content}"
