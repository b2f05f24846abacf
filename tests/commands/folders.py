"""What the tests of the commands share whose data lie in folders of their own layout."""

import shutil

import keras
import numpy as np

from keras_adasim.commands.network import Network


def patch_colors(folder=None, side=4, size=None):
    """The mean color of an image, and of each patch, as a backbone.

    Args:
        folder: Where its features are kept.
        side: Side of a patch in pixels.
        size: The only side of images that it takes; None for any.
    """
    images = keras.Input((size, size, 3))
    maps = keras.layers.AveragePooling2D(side)(images)
    count = -1 if size is None else (size // side) ** 2
    tokens = keras.layers.Reshape((count, 3))(maps)
    features = keras.layers.GlobalAveragePooling1D()(tokens)
    model = keras.Model(images, {"features": features, "tokens": tokens})
    return Network(model, size or 8, (0.0,) * 3, (1.0,) * 3, folder=folder)


def refused(capsys, run, command, flags, message):
    """A command is refused in one line, with status 2, and keeps no features."""
    status, _, err = run(capsys, command, *map(str, flags))
    assert (status, err.count("\n")) == (2, 1), err
    assert message in err


def changed(folder, tmp_path, change):
    """A copy of a folder, changed by a function of its path."""
    copy = tmp_path / f"changed_{len(list(tmp_path.iterdir()))}"
    shutil.copytree(folder, copy)
    change(copy)
    return copy


def cosines(queries, table):
    """All of them, one by one."""
    return np.array([[q @ t / np.sqrt((q @ q) * (t @ t) + 1e-12) for t in table] for q in queries])
