"""Ten million files are held by their paths, keys and fingerprints: few bytes for each."""

import tracemalloc

import numpy as np

from keras_adasim.data import ImageFolder, Inventory, Looks, WatchedSource
from keras_adasim.data import file_fingerprints as fingerprints_module
from keras_adasim.data import inventory as inventory_module
from keras_adasim.data.listing import Listing

FOLDERS, FILES = 20, 1000
MOST = 200  # Bytes for each path of 60 characters.


def entries(_, folder):
    """As if there were classes full of images, without a file on the disk."""
    if not folder:
        return [f"n{number:08d}_of_the_training_set" for number in range(FOLDERS)], []
    return [], [f"{folder[:9]}_{number:08d}_images.JPEG" for number in range(FILES)]


def test_ten_million_paths_take_less_than_two_gigabytes(tmp_path, monkeypatch):
    """A list of strings, a tensor of them and two copies of the keys took some 700 bytes each."""
    monkeypatch.setattr(Listing, "_entries", entries)
    monkeypatch.setattr(fingerprints_module, "_of_one", len)
    monkeypatch.setattr(inventory_module, "contents_of", lambda *_: np.ones(256, np.uint64))
    count = FOLDERS * FILES
    ImageFolder(tmp_path).fingerprints([0])  # Whatever is imported or made once.
    tracemalloc.start()
    try:
        source = ImageFolder(tmp_path)
        assert (len(source), len(source.paths[0])) == (count, 60)
        names, offsets = source._packed()
        looks = Looks(count)
        looks.keys, looks.fingerprints = source.keys.hashes(), source.fingerprints()
        watched = WatchedSource(source, np.arange(count), looks.fingerprints)
        inventory = Inventory.of(watched)
        assert len(inventory.keys) == count
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    tensors = len(names.numpy()) + offsets.numpy().nbytes
    assert (held + tensors) / count < 0.95 * MOST
    assert (peak + tensors) / count < MOST
