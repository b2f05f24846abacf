import numpy as np
import pytest

from keras_adasim.data import ArraySource, ImageFolder, load_in_memory
from tests.data.image_files import fill_folder


def test_order_pixels_and_labels_stay(tmp_path):
    for name in ("b", "a"):
        fill_folder(tmp_path / name, [(9, 11)] * 3)
    folder = ImageFolder(tmp_path)
    source = load_in_memory(folder, workers=2)
    assert isinstance(source, ArraySource)
    np.testing.assert_array_equal(source.labels, folder.labels)
    for i in range(len(folder)):
        np.testing.assert_array_equal(source[i], folder[i])


def test_an_array_source_is_returned_as_it_is():
    source = ArraySource(np.zeros((2, 4, 4, 3), np.uint8))
    assert load_in_memory(source) is source


def test_different_sizes_are_an_error_that_names_two_files(tmp_path):
    fill_folder(tmp_path, [(9, 11), (9, 11), (9, 12)])
    match = r"`crops` to `PairDataset`.*000\.jpg of shape \(9, 11, 3\).*002\.jpg of shape \(9, 12"
    with pytest.raises(ValueError, match=match):
        load_in_memory(ImageFolder(tmp_path))


def test_a_damaged_file_is_named(tmp_path):
    fill_folder(tmp_path, [(9, 11)] * 4, suffix=".png")
    # Sound at both ends: only decoding finds out.
    contents = bytearray((tmp_path / "002.png").read_bytes())
    contents[40:60] = bytes(20)
    (tmp_path / "002.png").write_bytes(contents)
    with pytest.raises(ValueError, match=r"002\.png to be a sound JPEG or PNG"):
        load_in_memory(ImageFolder(tmp_path))
