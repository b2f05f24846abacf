import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.data import ImageFolder, open_folder
from tests.data.image_files import fill_folder, smooth_image, write


def test_sub_folders_are_classes_in_the_order_of_their_names(tmp_path):
    for name in ("zebra/b.jpg", "zebra/a.PNG", "ant/deep/c.jpeg", "ant/x.JPG", "bee/n.txt"):
        write(tmp_path / name, smooth_image(8, 9))
    (tmp_path / "bee/n.txt").write_text("no image")
    source = ImageFolder(tmp_path)
    assert source.paths == ["ant/deep/c.jpeg", "ant/x.JPG", "zebra/a.PNG", "zebra/b.jpg"]
    # A folder without images is no class; it had a number of its own.
    assert source.class_names == ["ant", "zebra"]
    np.testing.assert_array_equal(source.labels, [0, 0, 1, 1])
    assert (len(source), source.why_unlabeled) == (4, None)


def test_a_flat_folder_has_no_labels(tmp_path):
    images = fill_folder(tmp_path)
    source = ImageFolder(str(tmp_path))
    assert source.labels is None
    assert source.class_names is None
    assert source.image_size is None
    for i, image in enumerate(images):
        assert source[i].shape == image.shape
        np.testing.assert_allclose(source[i].astype(int), image, atol=8)


def test_a_mixture_of_images_and_folders_has_no_labels(tmp_path):
    write(tmp_path / "a.jpg", smooth_image(8, 8))
    write(tmp_path / "sub/b.jpg", smooth_image(8, 8))
    source = ImageFolder(tmp_path)
    assert source.paths == ["a.jpg", "sub/b.jpg"]
    assert source.labels is None
    assert source.class_names is None
    assert source.why_unlabeled == f"a.jpg beside the sub-folders of {tmp_path}"
    for i in range(7):
        write(tmp_path / f"{i}.jpg", smooth_image(8, 8))
    with pytest.raises(ValueError, match=r"Received: 0.jpg, 1.jpg, .*4.jpg and 3 more beside the"):
        ImageFolder(tmp_path).checked_labels()


def test_a_folder_called_like_a_file_is_a_class(tmp_path):
    # It was taken for a picture beside the classes, and the labels were gone.
    for name in ("cat", "site.png"):
        write(tmp_path / name / "a.png", smooth_image(8, 8))
    source = ImageFolder(tmp_path)
    assert source.class_names == ["cat", "site.png"]
    assert source.paths == ["cat/a.png", "site.png/a.png"]


def test_images_beside_folders_without_images_are_a_flat_folder(tmp_path):
    write(tmp_path / "a.jpg", smooth_image(8, 8))
    (tmp_path / "notes").mkdir()
    assert ImageFolder(tmp_path).why_unlabeled == f"no sub-folder with images in {tmp_path}"


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fill_folder(tmp_path / "set")
    assert ImageFolder("~/set").describe(0) == str(tmp_path / "set" / "000.jpg")


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    for name in ("a/1.png", "a/.2.png", ".cache/3.png", "a/.thumbs/4.png", ".5.png"):
        write(tmp_path / name, smooth_image(8, 8))
    source = ImageFolder(tmp_path)
    assert source.paths == ["a/1.png"]
    assert source.class_names == ["a"]


def test_links_are_followed(tmp_path):
    write(tmp_path / "elsewhere/1.png", smooth_image(8, 8))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert ImageFolder(tmp_path / "set").paths == ["a/1.png"]


def test_every_folder_is_searched_once(tmp_path):
    """Through a link to the folder above, the one image was there 41 times."""
    write(tmp_path / "cat/a.png", smooth_image(8, 8))
    (tmp_path / "cat/up").symlink_to("..")
    (tmp_path / "cat/again").symlink_to("../cat")
    (tmp_path / "dog").symlink_to("cat")
    assert ImageFolder(tmp_path).paths == ["cat/a.png"]


def test_what_is_no_file_is_left_out_and_named(tmp_path, caplog):
    """Opening the pipe waited for ever."""
    write(tmp_path / "cat/a.png", smooth_image(8, 8))
    (tmp_path / "cat/b.png").symlink_to("/nowhere.png")
    os.mkfifo(tmp_path / "cat/c.png")
    assert ImageFolder(tmp_path).paths == ["cat/a.png"]
    assert "cat/b.png, cat/c.png" in caplog.text


def test_names_need_not_be_utf_8(tmp_path):
    write(tmp_path / "cat/a.png", smooth_image(8, 8))
    damaged = os.fsencode(tmp_path / "cat") + b"/caf\xe9.png"
    pathlib.Path(os.fsdecode(damaged)).write_bytes(b"no image")
    source = ImageFolder(tmp_path)
    assert source[0].shape == (8, 8, 3)
    with pytest.raises(ValueError, match=r"caf\\xe9\.png to be a sound image"):
        source[1]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    """Its images were missing in silence."""
    write(tmp_path / "cat/a.png", smooth_image(8, 8))
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("cat"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="cat"):
        ImageFolder(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("channels", [1, 3])
def test_gray_and_rgb_files_become_what_was_asked_for(tmp_path, suffix, channels):
    gray = smooth_image(10, 12, 1)
    write(tmp_path / f"a{suffix}", gray)
    write(tmp_path / f"b{suffix}", np.repeat(gray, 3, axis=2))
    source = ImageFolder(tmp_path, channels=channels)
    for image in (source[0], source[1]):
        assert image.shape == (10, 12, channels)
        np.testing.assert_allclose(image.astype(int), np.repeat(gray, channels, 2), atol=8)


def test_a_file_is_told_by_its_bytes_not_its_suffix(tmp_path):
    image = smooth_image(8, 8)
    (tmp_path / "a.jpg").write_bytes(tf.io.encode_png(image).numpy())
    np.testing.assert_array_equal(ImageFolder(tmp_path)[0], image)


@pytest.mark.parametrize("contents", [b"", b"<html>no image</html>", "truncated"])
def test_a_damaged_file_is_named_in_python_and_in_a_graph(tmp_path, contents):
    fill_folder(tmp_path)
    damaged = tmp_path / "001.jpg"
    damaged.write_bytes(damaged.read_bytes()[:300] if contents == "truncated" else contents)
    source = ImageFolder(tmp_path)
    with pytest.raises(ValueError, match=r"001\.jpg to be a sound image"):
        source[1]
    dataset = tf.data.Dataset.range(len(source)).map(source.decode)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"001\.jpg to be a sound image"):
        list(dataset)


def test_a_sound_file_with_bytes_after_its_end_is_read(tmp_path):
    images = fill_folder(tmp_path)
    (tmp_path / "000.jpg").write_bytes((tmp_path / "000.jpg").read_bytes() + b"appendix")
    decoded = next(iter(tf.data.Dataset.range(1).map(ImageFolder(tmp_path).decode)))
    assert decoded.shape == images[0].shape


def test_a_missing_path_a_file_and_a_folder_without_images_are_named(tmp_path):
    fix = "one sub-folder per class or directly in it; check the spelling"
    with pytest.raises(FileNotFoundError, match=rf"{fix}.*path='{tmp_path}/no', nothing"):
        ImageFolder(tmp_path / "no")
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(NotADirectoryError, match=rf"{fix}.*path='{tmp_path}/notes.txt', a file"):
        ImageFolder(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError, match=rf"{fix}.*path='{tmp_path}', a folder without"):
        ImageFolder(tmp_path)


@pytest.mark.parametrize("channels", [4, 0, 3.0, True, "3", None, float("nan")])
def test_other_channel_counts_are_refused(tmp_path, channels):
    fill_folder(tmp_path)
    with pytest.raises(ValueError, match=rf"Expected `channels` to be .*channels={channels!r}"):
        ImageFolder(tmp_path, channels)
    if channels != 4:
        with pytest.raises(ValueError, match="Expected `channels` to be"):
            open_folder(tmp_path, channels)
