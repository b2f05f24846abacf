"""Small image folders for the checks: two classes that are easily told apart."""

import pathlib

import numpy as np
from PIL import Image


def make_images(folder, per_class):
    """Writes noisy images of 48 x 40 pixels to FOLDER/bright and FOLDER/dark."""
    generator = np.random.default_rng(0)
    for low, name in enumerate(("dark", "bright")):
        path = pathlib.Path(folder, name)
        path.mkdir(parents=True)
        for number in range(per_class):
            pixels = generator.integers(100 * low, 100 * low + 156, (40, 48, 3), dtype="uint8")
            Image.fromarray(pixels).save(path / f"{number}.png")
