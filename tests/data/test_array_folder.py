"""Folders of NumPy files: any number of channels, from decoding to the views of a pair."""

import numpy as np
import pytest

from keras_adasim import augment, pairing
from keras_adasim.data import ArrayFolder, ImageFolder, PairDataset, load_in_memory, open_folder
from tests.data.image_files import fill_folder


def fill(folder, channels=13, size=(12, 10), count=3):
    """Two classes of `count` arrays each."""
    rng = np.random.default_rng(0)
    images = []
    for name in ("field", "water"):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            images.append(rng.integers(0, 256, (*size, channels), np.uint8))
            np.save(folder / name / f"{i}.npy", images[-1])
    return images


def test_arrays_are_read_as_they_are(tmp_path):
    images = fill(tmp_path)
    source = ArrayFolder(tmp_path)
    assert (len(source), source.channels, source.class_names) == (6, 13, ["field", "water"])
    np.testing.assert_array_equal(source.labels, [0, 0, 0, 1, 1, 1])
    for i, image in enumerate(images):
        np.testing.assert_array_equal(source[i], image)
    np.testing.assert_array_equal(load_in_memory(source).images, images)


def test_gray_arrays_have_one_channel(tmp_path):
    np.save(tmp_path / "cell.npy", np.zeros((4, 5), np.uint8))
    source = ArrayFolder(tmp_path)
    assert source.labels is None
    assert source[0].shape == (4, 5, 1)


def test_views_of_a_pair_are_cut_from_them(tmp_path):
    fill(tmp_path)
    crops = augment.MultiCrop(8, local_size=4, num_local=1)
    pairs = PairDataset(ArrayFolder(tmp_path), pairing.SelfPairing(), 3, crops=crops)
    views = augment.DINOAugment(crops, mean=(0.5,) * 13, std=(0.2,) * 13, channels=13)
    assert set(views.left_out) == {"color_jitter", "grayscale"}
    for batch in pairs:
        shapes = [view.shape for view in views(batch, 0)]
        assert shapes == [(3, 8, 8, 13), (3, 8, 8, 13), (3, 4, 4, 13)]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 13), np.uint16), "uint16"),
        (np.zeros((4, 4, 12), np.uint8), "12 channels"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.array([{}]), "Python objects"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path, array, message):
    fill(tmp_path)
    np.save(tmp_path / "water" / "x.npy", array)
    with pytest.raises(ValueError, match=rf"water/x\.npy.*{message}"):
        load_in_memory(ArrayFolder(tmp_path))
    (tmp_path / "water" / "x.npy").rename(tmp_path / "field" / "0.npy")
    if message not in ("12 channels", "uint16"):
        with pytest.raises(ValueError, match=r"field/0\.npy"):
            ArrayFolder(tmp_path)[0]


def test_the_first_file_may_be_bad(tmp_path):
    """It ended the run before one could be told which others are bad."""
    fill(tmp_path)
    (tmp_path / "field" / "0.npy").write_bytes(b"")
    source = ArrayFolder(tmp_path)
    assert source.channels == 13
    for index in range(len(source)):
        (tmp_path / source.paths[index]).write_bytes(b"")
    with pytest.raises(ValueError, match=r"field/0\.npy"):
        ArrayFolder(tmp_path)


def test_either_kind_of_folder_is_opened(tmp_path):
    fill_folder(tmp_path / "photographs")
    fill(tmp_path / "satellite")
    fill(tmp_path / "rgb", channels=3)
    assert type(open_folder(tmp_path / "photographs", 1)) is ImageFolder
    assert type(open_folder(tmp_path / "satellite", 13)) is ArrayFolder
    assert type(open_folder(tmp_path / "rgb")) is ArrayFolder
    for channels in (3, 12):
        with pytest.raises(ValueError, match="`channels` to be 13"):
            open_folder(tmp_path / "satellite", channels)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"\.jpg"):
        open_folder(tmp_path / "empty")


def test_files_that_are_no_array_are_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 5), np.uint8))
    (tmp_path / "b.npy").write_bytes(b"")
    np.savez(tmp_path / "c.npz", a=np.zeros(3))
    (tmp_path / "c.npz").rename(tmp_path / "c.npy")
    source = ArrayFolder(tmp_path)
    with pytest.raises(ValueError, match=r"b\.npy to hold a uint8 array"):
        source[1]
    with pytest.raises(ValueError, match=r"c\.npy to hold .*an archive of several arrays"):
        source[2]
