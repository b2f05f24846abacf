"""What the tests of the protocols' commands share: a backbone that is a formula, and its images."""

import keras
import numpy as np
import tensorflow as tf


def mean_color(images):
    """The mean of each channel."""
    return {"features": tf.reduce_mean(tf.cast(images, tf.float32), axis=(1, 2))}


def color_folder(folder, per_class=6, classes=("blue", "green", "red"), size=8):
    """Images of which one channel is bright, as PNG files by class; returns the folder."""
    rng = np.random.default_rng(per_class)
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(per_class):
            pixels = rng.integers(0, 60, (size, size, 3))
            pixels[..., label] += 150
            keras.utils.save_img(folder / name / f"{i}.png", pixels, scale=False)
    return folder
