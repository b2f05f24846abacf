"""Bad files: left out before the first step, stood in for later, and never more than allowed."""

import csv
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_adasim as ka
from keras_adasim.commands.backbone import load_embedder
from keras_adasim.pretraining import first_look
from tests.pretraining.runs import (
    IGNORED,
    make_images,
    one_block,
    pretrain,
    quick,
)

pytestmark = pytest.mark.filterwarnings(IGNORED)
EXPORT = ka.export.export_backbone
ON_DISK = {"in_memory": "no", "batch_size": 6}


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick():
        yield


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


class AfterTheFirstEpoch(keras.callbacks.Callback):
    """Does something to files."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.change()


def in_lines(printed):
    """Words of a text, however it was wrapped."""
    return " ".join(printed.split())


@pytest.mark.large
def test_bad_files_in_the_life_of_a_run(images, tmp_path, capsys, monkeypatch):
    """Each of them ended it, some without a name."""
    out, dark, test = tmp_path / "run", images / "train" / "dark", images / "test" / "dark"
    (dark / "3.png").write_bytes(b"no image")
    (dark / "notes.txt").write_text("a note")
    (test / "5.png").write_bytes(b"")

    kept = {name: (dark / name).read_bytes() for name in ("6.png", "7.png")}

    def change():
        (dark / "6.png").unlink()
        (dark / "7.png").write_bytes((dark / "7.png").read_bytes()[:-20])
        (test / "8.png").unlink()

    result = pretrain(images, out, callbacks=[AfterTheFirstEpoch(change)], **ON_DISK)
    assert result["epochs"] == 2
    printed = in_lines(capsys.readouterr().out)
    for text in (
        "24 looked at, all decoded: 1 bad",
        "3.png (8 bytes of no known image format)",
        "left out by suffix: 1 .txt",
        "5.png (an empty file)",
        "images 23 of 3 channels",
        "bad images, which can't be read any more",
        "6.png (No such file or directory)",
        "bad test images, which can't be read any more",
    ):
        assert text in printed
    known = json.loads((out / "bad_images.json").read_text())
    assert known["left_out"] == {"dark/3.png": "8 bytes of no known image format"}
    assert set(known["gone_bad"]) == {"dark/6.png", "dark/7.png"}
    with (out / "log.csv").open() as file:
        assert [row["bad_images"] for row in csv.DictReader(file)] == ["", "2"]
    # All are mended: the first one is none of the run's images all the same.
    for name, content in kept.items():
        (dark / name).write_bytes(content)
    Image.new("RGB", (10, 10)).save(dark / "3.png")
    looked, look = set(), ka.data.ImageFolder.look
    monkeypatch.setattr(
        ka.data.ImageFolder, "look", lambda s, i, full: looked.add(s.paths[i]) or look(s, i, full)
    )
    pretrain(images, out, dry_run=True, **ON_DISK)
    assert "images 23 of 3 channels" in in_lines(capsys.readouterr().out)
    assert {"dark/3.png", "dark/6.png", "dark/7.png"} <= looked
    assert len(looked) < 8  # The others were looked at before.


@pytest.mark.parametrize("settings", [{}, {"max_bad": 1, "max_bad_share": 0.05}])
def test_too_many_stop_a_run_before_it_starts(images, tmp_path, settings):
    for i in range(11):
        (images / "train" / "dark" / f"{i}.png").write_bytes(b"")
    with pytest.raises(first_look.TooManyBadImagesError, match=r"11 of 24 files.*0\.png: an empty"):
        pretrain(images, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()
    pretrain(images, tmp_path / "run", max_bad_share=0.5, dry_run=True)


def test_without_a_sound_image_there_is_no_run(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"at least two images that can be read.*3 are bad"):
        pretrain(folder, tmp_path / "run", image_size=8)


@pytest.mark.large
def test_too_many_end_the_run_and_are_not_remembered(images, tmp_path):
    """As when a disk is not mounted for a while; some may be missed before the others."""
    out = tmp_path / "run"
    paths = [images / "train" / "dark" / f"{i}.png" for i in range(3)]
    change = AfterTheFirstEpoch(lambda: [path.unlink() for path in paths])
    with pytest.raises(first_look.TooManyBadImagesError, match=r"[123] of 24 files") as caught:
        pretrain(images, out, callbacks=[change], max_bad=0, **ON_DISK)
    assert "traceback" in caught.value.__notes__[-1]
    assert not (out / "bad_images.json").exists()


@pytest.mark.large
def test_what_only_the_decoder_stumbles_over_is_found(tmp_path, capsys):
    """Its header and end are sound, and its size and time are those of the start."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(12):
        pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
        (folder / f"{i:02d}.jpg").write_bytes(tf.io.encode_jpeg(pixels).numpy())
    contents = (folder / "05.jpg").read_bytes()
    table = contents.index(b"\xff\xdb")
    (folder / "05.jpg").write_bytes(contents[:table] + b"\xff\xfe" + contents[table + 2 :])
    out = tmp_path / "run"
    result = pretrain(folder, out, look="headers", max_bad_share=0.5, **ON_DISK)
    assert result["epochs"] == 2
    known = json.loads((out / "bad_images.json").read_text())
    assert list(known["gone_bad"]) == ["05.jpg"]
    assert "05.jpg" in capsys.readouterr().out


def test_a_damaged_list_is_named(tmp_path):
    path = tmp_path / "bad_images.json"
    assert first_look.read(path) == {}
    path.write_text("{")
    with pytest.raises(ValueError, match=r"bad_images\.json to be the list.*`fresh`"):
        first_look.read(path)


def deep_images(folder):
    """Twelve gray PNG files of 16 bits, of which 12 are used."""
    folder.mkdir()
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 4096, (12, 16, 16), np.uint16)):
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder


def test_a_range_is_measured_once(tmp_path, capsys):
    folder = deep_images(tmp_path / "images")
    settings = {"backbone": "vit_mini", "augment": None, "channels": 1, "dry_run": True}
    pretrain(folder, tmp_path / "run", **settings)
    printed = in_lines(capsys.readouterr().out)
    assert re.search(r"values from \[\d\.\d+\] to \[40\d\d\.\d+\] become 0 to 255", printed)
    assert "mean=0.5" in printed
    pretrain(folder, tmp_path / "run", value_range=(0, 65535), **settings)
    printed = in_lines(capsys.readouterr().out)
    assert "values from [0.0] to [65535.0] become 0 to 255" in printed
    assert "mean=0.03" in printed
    with pytest.raises(ValueError, match="Expected `value_range` to be low,high"):
        pretrain(folder, tmp_path / "run", value_range=(4095, 0), **settings)


@pytest.mark.large
def test_an_export_takes_what_the_run_has_read(tmp_path, monkeypatch):
    """The same features of the values in a file, and of what the run has made of them."""
    monkeypatch.setattr(ka.export, "export_backbone", EXPORT)
    tf.config.run_functions_eagerly(False)
    folder, out = deep_images(tmp_path / "images"), tmp_path / "run"
    settings = {"backbone": "vit_mini", "augment": None, "channels": 1, "image_size": 16}
    settings |= {"patch_size": 8, "epochs": 1, "exclude": ("color_jitter", "solarize")}
    with one_block():
        result = pretrain(folder, out, **settings)
        embedder = load_embedder(out)
    known = json.loads((out / "settings.json").read_text())["settings"]["value_range"]
    exported = ka.export.load_backbone(result["saved_model"])
    assert list(exported.metadata.value_range) == known
    source = ka.data.ImageFolder(folder, 1)
    source.value_range = known
    values = np.asarray(Image.open(folder / "00.png"))[None, ..., None]
    expected = exported(source[0][None])["features"]
    for images in (values, values.astype(np.float32)):
        np.testing.assert_allclose(exported(images)["features"], expected, atol=1e-5)
    plain = tf.saved_model.load(result["saved_model"])
    np.testing.assert_allclose(plain.serve(values)["features"], expected, atol=1e-5)
    again = ka.data.ImageFolder(folder, 1)
    embedder.prepare(again)
    np.testing.assert_array_equal(again[0], source[0])
