import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.data import ArraySource, ImageFolder, JoinedSource, Source, Subset, load_in_memory
from keras_adasim.data.keys import checked_keys
from tests.data.image_files import fill_folder


class Ramps(Source):
    encoded, image_size = False, (2, 2)

    def __len__(self):
        return 3

    def read(self, index):
        return tf.cast(tf.fill((2, 2, 3), index), tf.uint8)

    def describe(self, index):
        return f"ramp {index}"


def test_sources_of_sources_have_their_keys(tmp_path):
    for name in ("cat", "dog"):
        fill_folder(tmp_path / name, [(8, 8)] * 2, suffix=".png")
    folder = ImageFolder(tmp_path)
    assert list(folder.keys) == ["cat/000.png", "cat/001.png", "dog/000.png", "dog/001.png"]
    memory = load_in_memory(folder)
    assert memory.keys == folder.keys
    subset = Subset(folder, [2, 0])
    assert list(subset.keys) == ["dog/000.png", "cat/000.png"]
    joined = JoinedSource([subset, memory])
    assert list(joined.keys)[:3] == ["0/dog/000.png", "0/cat/000.png", "1/cat/000.png"]
    assert JoinedSource([folder]).keys == folder.keys
    fingerprints = folder.fingerprints()
    assert fingerprints.all()
    np.testing.assert_array_equal(subset.fingerprints(), fingerprints[[2, 0]])
    np.testing.assert_array_equal(
        joined.fingerprints(), np.concatenate([fingerprints[[2, 0]], fingerprints])
    )


def test_an_image_that_is_twice_in_a_subset_is_numbered():
    keys = Subset(Ramps(), [2, 0, 2]).keys
    assert list(keys) == ["image 2", "image 0", "image 2#2"]


def test_arrays_are_told_by_their_content():
    images = np.arange(4 * 12, dtype=np.uint8).reshape(4, 2, 2, 3)
    images[3] = images[1]
    keys = list(ArraySource(images).keys)
    order = [2, 3, 0]
    assert list(ArraySource(images[order]).keys) == [keys[2], keys[1], keys[0]]
    assert keys[3] == keys[1] + "#2"
    np.testing.assert_array_equal(ArraySource(images).fingerprints(), np.zeros(4))
    # A view that isn't contiguous has the same images.
    assert list(ArraySource(images[..., ::-1]).keys) == list(
        ArraySource(images[..., ::-1].copy()).keys
    )


def test_keys_of_a_source_of_ones_own():
    source = Ramps()
    assert list(checked_keys(source)) == ["image 0", "image 1", "image 2"]
    source.keys = ["red", "green", "blue"]
    assert list(Subset(source, [1]).keys) == ["green"]
    source.keys = ["red", "green"]
    with pytest.raises(ValueError, match="`keys` to be one for each of the 3 images"):
        checked_keys(source)
