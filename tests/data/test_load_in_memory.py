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
    assert source.class_names == folder.class_names == ["a", "b"]
    assert source.describe(1) == folder.describe(1)
    with pytest.raises(ValueError, match="no sub-folder with images"):
        load_in_memory(ImageFolder(tmp_path / "a")).checked_labels()
    for i in range(len(folder)):
        np.testing.assert_array_equal(source[i], folder[i])


@pytest.mark.parametrize("workers", [0, 2.0, None, "2"])
def test_wrong_workers_are_named(tmp_path, workers):
    fill_folder(tmp_path)
    with pytest.raises(ValueError, match="Expected `workers` to be a positive integer"):
        load_in_memory(ImageFolder(tmp_path), workers)


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
    with pytest.raises(ValueError, match=r"002\.png to be a sound image"):
        load_in_memory(ImageFolder(tmp_path))
