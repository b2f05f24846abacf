"""`keras-adasim embed`: one file, or several that go on where they were stopped."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.commands import embed
from tests.commands.protocols import mean_color
from tests.commands.test_console import run


def with_tokens(images):
    features = mean_color(images)["features"]
    return {"features": features, "tokens": tf.stack([features, 2 * features], axis=1)}


@pytest.fixture
def colors(embedder, monkeypatch):
    """Mean colors, and two tokens."""
    made = dataclasses.replace(embedder, look=with_tokens)
    monkeypatch.setattr(embed, "load_embedder", lambda identifier: made)
    return made


def test_one_file(colors, labeled_images, tmp_path, capsys):
    flags = ["--backbone=colors", f"--data_dir={labeled_images / 'test'}", "--tokens"]
    status, out, err = run(capsys, "embed", *flags, f"--out={tmp_path / 'x.npz'}")
    assert status == 0, err
    assert f"6 images, 3 features each: {tmp_path / 'x.npz'}" in out
    with np.load(tmp_path / "x.npz") as arrays:
        np.testing.assert_array_equal(arrays["features"].argmax(axis=1), arrays["labels"])
        np.testing.assert_allclose(arrays["tokens"][:, 1], 2 * arrays["features"])
        assert arrays["tokens"].shape == (6, 2, 3)
        assert list(arrays["class_names"]) == ["blue", "green", "red"]
        assert arrays["paths"][0].endswith("blue/0.png")
    status, _, err = run(capsys, "embed", *flags, f"--out={tmp_path / 'x.npz'}")
    assert (status, err.count("\n")) == (2, 1)
    assert "--overwrite" in err


def test_several_files_go_on(colors, labeled_images, tmp_path, capsys):
    flags = ["--backbone=colors", f"--data_dir={labeled_images / 'test'}", "--shard_size=4"]
    flags += [f"--out={tmp_path / 'out'}", "--batch_size=3"]
    status, out, err = run(capsys, "embed", *flags)
    assert status == 0, err
    assert f"6 images in 2 files: {tmp_path / 'out'}" in out
    (tmp_path / "out" / "00000.npz").unlink()
    assert "1 of 2 files were there already" in run(capsys, "embed", *flags)[1]
    parts = [np.load(tmp_path / "out" / f"0000{i}.npz") for i in range(2)]
    assert [len(part["features"]) for part in parts] == [4, 2]
    assert list(np.concatenate([part["labels"] for part in parts])) == [0, 0, 1, 1, 2, 2]
    for part in parts:
        part.close()
    status, _, err = run(capsys, "embed", *flags, "--tokens")
    assert (status, err.count("\n")) == (2, 1)
    assert "begun with others" in err


def test_parquet(colors, labeled_images, tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    flags = ["--backbone=colors", f"--data_dir={labeled_images / 'test'}"]
    status, _, err = run(capsys, "embed", *flags, f"--out={tmp_path / 'x.parquet'}")
    assert status == 0, err
    table = parquet.read_table(tmp_path / "x.parquet").to_pydict()
    assert table["class_names"] == ["blue", "blue", "green", "green", "red", "red"]
    assert table["labels"] == [0, 0, 1, 1, 2, 2]


def test_refused_in_one_line(colors, embedder, labeled_images, tmp_path, capsys, monkeypatch):
    for channels, folder in ((3, "arrays"), (4, "images")):
        made = dataclasses.replace(embedder, channels=channels)
        monkeypatch.setattr(embed, "load_embedder", lambda identifier, made=made: made)
        (tmp_path / "arrays").mkdir(exist_ok=True)
        np.save(tmp_path / "arrays" / "a.npy", np.zeros((8, 8, 4), np.uint8))
        flags = [f"--data_dir={tmp_path / folder}", f"--out={tmp_path / 'x.npz'}"]
        status, _, err = run(capsys, "embed", "--backbone=colors", *flags)
        assert (status, err.count("\n")) == (2, 1)
        assert f"images of {channels} channels" in err
    monkeypatch.setattr(embed, "load_embedder", lambda identifier: embedder)
    flags = ["--backbone=colors", f"--data_dir={labeled_images / 'test'}"]
    for extra, message in (
        ([f"--out={tmp_path / 'x.csv'}"], ".npz or .parquet"),
        ([f"--out={tmp_path / 'x'}", "--shard_size=-1"], "shard_size=-1"),
        ([f"--out={tmp_path / 'x.npz'}", "--tokens"], "patch tokens"),
    ):
        status, _, err = run(capsys, "embed", *flags, *extra)
        assert (status, err.count("\n")) == (2, 1)
        assert message in err
    assert not (tmp_path / "x").exists()
