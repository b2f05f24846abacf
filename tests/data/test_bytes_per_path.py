"""Ten million files are held by their paths, keys and fingerprints: few bytes for each."""

import tracemalloc

import numpy as np
import tensorflow as tf

from keras_adasim.data import ImageFolder, Inventory, Looks, WatchedSource
from keras_adasim.data import file_fingerprints as fingerprints_module
from keras_adasim.data import inventory as inventory_module
from keras_adasim.data.listing import Listing

FOLDERS, FILES = 20, 3000
MOST = 200  # Bytes for each path of 60 characters.


def entries(_, folder):
    """As if there were classes full of images, without a file on the disk."""
    if not folder:
        return [f"n{number:08d}_of_the_training_set" for number in range(FOLDERS)], []
    return [], [f"{folder[:9]}_{number:08d}_images.JPEG" for number in range(FILES)]


def constants_are_traced():
    """Whether TensorFlow keeps a NumPy array's copy as it is, which is traced."""
    array = np.zeros(10**6, np.uint8)
    tracemalloc.start()
    try:
        constant = tf.constant(array)
        return tracemalloc.get_traced_memory()[0] > constant.shape[0] // 2
    finally:
        tracemalloc.stop()


def hold_all(folder):
    """What a run holds of its files' names: folder, looks, watched source, inventory, tensors."""
    source = ImageFolder(folder)
    tensors = source._packed()
    looks = Looks(len(source))
    looks.keys, looks.fingerprints = source.keys.hashes(), source.fingerprints()
    watched = WatchedSource(source, np.arange(len(source)), looks.fingerprints)
    return source, looks, watched, Inventory.of(watched), tensors


def test_ten_million_paths_take_less_than_two_gigabytes(tmp_path, monkeypatch):
    """They were a list of strings, a tensor of them, and several copies of the keys."""
    monkeypatch.setattr(Listing, "_entries", entries)
    monkeypatch.setattr(fingerprints_module, "_of_one", len)
    monkeypatch.setattr(inventory_module, "contents_of", lambda _, which: np.ones_like(which))
    hold_all(tmp_path)  # Whatever is imported or made once.
    tracemalloc.start()
    try:
        source, *others, tensors = hold_all(tmp_path)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(source), len(source.paths[0])) == (count := FOLDERS * FILES, 60)
    assert all(len(other) == count for other in (*others[:2], others[2].keys))
    assert np.shares_memory(np.asarray(tensors[0]), source.keys.to_arrays()["bytes"])
    untraced = 0 if constants_are_traced() else tensors[0].shape[0] + 8 * tensors[1].shape[0]
    assert (held + untraced) / count < 0.8 * MOST
    assert (peak + untraced) / count < MOST
