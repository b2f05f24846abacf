"""Patches of the photographs in scikit-image's wheel: real images that need no download."""

import pathlib

import numpy as np
import skimage
import tensorflow as tf

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


def load_patches(size=48, per_photograph=100, test_share=0.25, seed=0):
    """Cuts square grey patches that don't overlap; the photograph is the label.

    Grey, because the colours of a patch give its photograph away. Every photograph is scaled so
    that it holds about `per_photograph` patches.

    Args:
        size: height and width of a patch in pixels.
        per_photograph: about how many patches each photograph gives.
        test_share: share of the patches that is kept for the test.
        seed: of the split.

    Returns:
        `(train images, train labels, test images, test labels)`: uint8 `(N, size, size, 3)` with
        three equal channels, int64 `(N,)`, and the same for the test.
    """
    images, labels = [], []
    for label, name in enumerate(PHOTOGRAPHS):
        patches = _cut(_read_grey(name), size, per_photograph)
        images.append(patches)
        labels.append(np.full(len(patches), label))
    images, labels = np.concatenate(images), np.concatenate(labels)
    images = np.repeat(images[..., np.newaxis], 3, axis=-1)
    order = np.random.default_rng(seed).permutation(len(images))
    test, train = np.split(order, [int(test_share * len(order))])
    return images[train], labels[train], images[test], labels[test]


def _read_grey(name):
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
    pixels = tf.image.resize(pixels, (rows * size, columns * size), antialias=True)
    grid = tf.reshape(pixels, (rows, size, columns, size)).numpy().swapaxes(1, 2)
    return np.clip(grid.round(), 0, 255).astype(np.uint8).reshape(-1, size, size)
