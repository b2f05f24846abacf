"""Files that can't be read are left out of every protocol, as `pretrain` leaves them out."""

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import data
from keras_adasim.commands import embed, sound_images
from tests.commands.test_console import run


@pytest.fixture
def damaged(labeled_images):
    """Two files that are no images, in train and in test."""
    (labeled_images / "train" / "red" / "7.png").write_text("no image")
    (labeled_images / "test" / "blue" / "1.png").write_bytes(b"")
    return labeled_images


def test_a_protocol_leaves_them_out_and_names_them(embedder, damaged, capsys):
    """One bad file used to end it."""
    flags = ["--backbone=colors", f"--data_dir={damaged}", "--k=3"]
    status, out, err = run(capsys, "knn", *flags)
    assert status == 0, err
    assert "1 of 19 training images can't be read and are left out: " in out
    assert "7.png (8 bytes of no known image format)" in out
    assert "1 of 6 test images can't be read" in out
    assert "18 training images, 5 test images" in out
    status, _, err = run(capsys, "knn", *flags, "--look=no")
    assert status != 0
    assert ".png" in err
    assert err.count("\n") == 1
    status, _, err = run(capsys, "knn", *flags, "--look=twice")
    assert (status, err.count("\n")) == (2, 1)
    assert "--look" in err


def test_embed_leaves_them_out(embedder, damaged, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(embed, "load_embedder", lambda identifier: embedder)
    flags = [f"--data_dir={damaged / 'train'}", f"--out={tmp_path / 'x.npz'}"]
    status, out, err = run(capsys, "embed", "--backbone=colors", *flags)
    assert status == 0, err
    assert "1 of 19 images can't be read" in out
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["features"].shape == (18, 3)


def test_embed_says_what_it_drops(embedder, labeled_images, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(embed, "load_embedder", lambda identifier: embedder)
    path = labeled_images / "train" / "red" / "7.png"
    path.write_bytes(tf.io.encode_png(np.zeros((8, 8, 4), np.uint8)).numpy())
    flags = [f"--data_dir={labeled_images / 'train'}", f"--out={tmp_path / 'x.npz'}"]
    status, out, err = run(capsys, "embed", "--backbone=colors", *flags)
    assert status == 0, err
    dropped = "1 of 19 images have an alpha channel, which is dropped: the network takes 3 channels"
    assert dropped in out


def test_looks_are_remembered_if_they_took_long(damaged, tmp_path, monkeypatch):
    source = data.ImageFolder(damaged / "train")
    sound_images.sound_images(source, "images", folder=tmp_path / "looks")
    assert not (tmp_path / "looks").exists()
    monkeypatch.setattr(sound_images, "WORTH_KEEPING", 0.0)
    for _ in range(2):
        kept, bad = sound_images.sound_images(source, "images", "full", tmp_path / "looks")
        assert (len(kept), len(bad)) == (18, 1)
        assert len(list((tmp_path / "looks").iterdir())) == 1
    (tmp_path / "file").write_text("")
    kept, _ = sound_images.sound_images(source, "images", "full", tmp_path / "file")
    assert len(kept) == 18


def test_what_all_can_be_read_or_none_or_is_no_file(labeled_images, tmp_path):
    source = data.ImageFolder(labeled_images / "train")
    assert sound_images.sound_images(source, "images") == (source, {})
    array = data.ArraySource(np.zeros((3, 4, 4, 3), np.uint8))
    assert sound_images.sound_images(array, "images") == (array, {})
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.png").write_text("x")
    with pytest.raises(ValueError, match=r"`data_dir` with images.*1 of 1 images can't be read"):
        sound_images.sound_images(data.ImageFolder(tmp_path / "bad"), "images")
