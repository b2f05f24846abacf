"""Masks: images whose pixels are labels."""

import numpy as np

from keras_adasim.data.careful_decode import check_png, open_image
from keras_adasim.data.listing import printable

KINDS = {"P": "palette", "L": "gray"}


def read_mask(path):
    """Reads the labels of a PNG's pixels: the places in its palette, or its gray values.

    Args:
        path: The file, a `pathlib.Path`.

    Returns:
        uint8 array (H, W).

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it isn't a sound PNG with a palette or of 8 gray bits.
    """
    try:
        contents = path.read_bytes()
        with open_image(contents) as image:
            if image.format != "PNG" or image.mode not in KINDS:
                raise ValueError(f"{image.format} of mode {image.mode}")
            check_png(contents)
            return np.array(image)
    except ValueError as error:
        raise ValueError(
            f"Expected {printable(path)} to be a mask, a PNG with a palette or of 8 gray bits, "
            f"whose values are labels. Received: {error}"
        ) from error


def size_of(path):
    """(height, width) of an image or a mask, from the head of its file.

    Args:
        path: The file, a `pathlib.Path`.

    Raises:
        ValueError: If it is no image.
    """
    try:
        with path.open("rb") as file, open_image(file) as image:
            return image.height, image.width
    except ValueError as error:
        raise ValueError(f"Expected {printable(path)} to be an image. Received: {error}") from error
