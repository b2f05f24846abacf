"""Patches of the photographs in scikit-image's wheel: real images that need no download."""

import pathlib

import numpy as np
import skimage
import tensorflow as tf

from keras_adasim.data import ArraySource
from keras_adasim.layers.preprocessing import resize_bytes

PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)


def as_source():
    """The patches of all photographs, for a run: a name, and a source whose labels are theirs."""
    images, labels = load_patches()
    return "pretrain_photographs", ArraySource(images, labels)


def load_patches(size=48, per_photograph=100):
    """Cuts square gray patches that don't overlap; the photograph is the label.

    Gray, because the colors of a patch give its photograph away. Every photograph is scaled so
    that it holds about `per_photograph` patches.

    Args:
        size: Height and width of a patch in pixels.
        per_photograph: About how many patches each photograph gives.

    Returns:
        Tuple of (N, size, size, 3) uint8 images with three equal channels, and (N,) int64 labels.

    Raises:
        FileNotFoundError: If scikit-image comes without a photograph.
    """
    patches = [_cut(_read_gray(name), size, per_photograph) for name in PHOTOGRAPHS]
    images = np.repeat(np.concatenate(patches)[..., np.newaxis], 3, axis=-1)
    return images, np.repeat(np.arange(len(patches)), [len(each) for each in patches])


def _read_gray(name):
    path = pathlib.Path(skimage.__file__).parent / "data" / name
    if not path.exists():
        raise FileNotFoundError(
            f"Expected scikit-image to bring the photograph {path}. Install scikit-image>=0.25, or "
            "pass your own images: make pretrain DATA=folder"
        )
    pixels = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False)
    return tf.image.rgb_to_grayscale(pixels)


def _cut(pixels, size, count):
    height, width = pixels.shape[:2]
    scale = size * np.sqrt(count / (height * width))
    rows, columns = max(1, round(height * scale / size)), max(1, round(width * scale / size))
    pixels = resize_bytes(pixels, (rows * size, columns * size)).numpy()
    grid = pixels.reshape(rows, size, columns, size).swapaxes(1, 2)
    return grid.reshape(-1, size, size)
