"""`keras-adasim doctor`: tables of what was planted, and one line for what is wrong."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_adasim.commands import doctor
from keras_adasim.commands.backbone import Embedder
from tests.commands.test_console import run


def mean_colors(images):
    """Means of 16 parts, a fixed function of images."""
    parts = tf.nn.avg_pool2d(tf.cast(images, tf.float32), 8, 8, "VALID")
    return {"features": tf.reshape(parts, (len(images), -1))}


@pytest.fixture(autouse=True)
def _fixed_backbone(monkeypatch):
    monkeypatch.setattr(doctor, "load_embedder", lambda _: Embedder(mean_colors, 32, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Smooth images, of which one is there twice, one in test too, one flat and one damaged."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for split, number in (("train", 24), ("test", 8)):
        (root / split).mkdir()
        for i in range(number):
            pixels = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8))
            pixels.resize((32, 32), Image.Resampling.BICUBIC).save(root / split / f"{i:02d}.png")
    train, test = root / "train", root / "test"
    Image.open(train / "03.png").save(train / "copy.jpg", quality=60)
    Image.open(train / "05.png").save(test / "leak.jpg", quality=60)
    Image.new("RGB", (32, 32), (9, 99, 9)).save(train / "flat.png")
    (train / "cut.png").write_bytes((train / "07.png").read_bytes()[:99])
    return root


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def names(table, column="path"):
    return [row[column].rpartition("/")[2] for row in table]


def test_what_was_planted_is_in_the_tables(folder, tmp_path, capsys):
    flags = [f"--data_dir={folder}", f"--out={tmp_path / 'out'}", "--backbone=any"]
    flags += ["--num_to_label=22", "--choose_by=typicality"]
    status, out, err = run(capsys, "doctor", *flags)
    assert status == 0, err
    tables = {path.stem: rows(path) for path in (tmp_path / "out").glob("*.csv")}
    assert set(tables) == set(doctor.COLUMNS)
    assert names(tables["duplicates"]) == ["03.png", "copy.jpg", "05.png", "leak.jpg"]
    assert [row["cluster"] for row in tables["duplicates"]] == ["0", "0", "1", "1"]
    (leak,) = tables["leaks"]
    assert leak["train"].endswith("train/05.png")
    assert leak["test"].endswith("test/leak.jpg")
    assert float(leak["similarity"]) > 0.8
    assert names(tables["one_color"]) == ["flat.png"]
    assert names(tables["unreadable"]) == ["cut.png"]
    # Of 26 that can be read, neither the copy nor the flat one.
    chosen = names(tables["to_label"])
    assert len(set(chosen)) == 22
    assert not {"copy.jpg", "flat.png", "cut.png", "leak.jpg"} & set(chosen)
    facts = json.loads((tmp_path / "out" / "doctor.json").read_text())
    assert (facts["train"], facts["test"]) == (26, 9)
    assert facts["found"]["duplicates"] == 4
    assert 0.5 <= facts["duplicates"]["threshold"] < 0.8
    lines = [line.split()[:2] for line in out.splitlines()]
    for line in (["duplicates", "4"], ["leaks", "1"], ["one_color", "1"], ["to_label", "22"]):
        assert line in lines


def test_a_folder_without_a_split(folder, tmp_path, capsys):
    flags = [f"--data_dir={folder / 'test'}", f"--out={tmp_path}", "--backbone=any", "--quick"]
    status, out, err = run(capsys, "doctor", *flags)
    assert status == 0, err
    assert "9 training and 0 test images" in out
    assert "no test images" in out
    assert rows(tmp_path / "duplicates.csv") == rows(tmp_path / "to_label.csv") == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--num_to_label=28",), "--num_to_label to be at most 27"),
        (("--num_to_label=-1",), "--num_to_label to be a non-negative integer"),
        (("--batch_size=0",), "--batch_size to be a positive integer"),
        (("--data_dir=/nowhere",), "/nowhere"),
        (("--out=/dev/null",), "--out to be a folder"),
        (("--choose_by=luck",), "one of k_center, typicality"),
    ],
)
def test_wrong_flags_get_one_line(folder, tmp_path, capsys, flags, message):
    out = tmp_path / "out"
    given = [f"--data_dir={folder}", f"--out={out}", "--backbone=any", *flags]
    status, _, err = run(capsys, "doctor", *given)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err
    assert not out.exists()


def test_nothing_to_read(folder, tmp_path, capsys):
    (tmp_path / "cut.png").write_bytes((folder / "train" / "cut.png").read_bytes())
    flags = [f"--data_dir={tmp_path}", f"--out={tmp_path / 'out'}", "--backbone=any"]
    status, _, err = run(capsys, "doctor", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert "at least two images that can be read. Received: 0 of 1" in err
