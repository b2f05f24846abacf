"""`keras-adasim dense`, by a backbone of the patches' mean colors."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_adasim.commands import dense
from keras_adasim.data.masks import read_mask
from keras_adasim.evaluation.dense import patch_retrieval
from tests.commands.folders import changed, refused
from tests.commands.test_console import run


def test_a_table_and_json_as_by_the_function(network, small_sets, tmp_path, capsys):
    folder = small_sets / "dense"
    flags = ["--backbone=colors", f"--data_dir={folder}", "--image_size=32", "--topk=5"]
    flags += [f"--out={tmp_path / 'out'}"]
    status, out, err = run(capsys, "dense", *flags)
    assert status == 0, err
    assert "4 training images, 3 test images" in out
    # 32 x 32 pixels, so nothing is resized.
    parts = []
    for split in ("train", "test"):
        images = [np.asarray(Image.open(p)) for p in sorted((folder / split / "images").iterdir())]
        parts.append(np.stack(images).reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)))
        parts.append(np.stack([read_mask(p) for p in sorted((folder / split / "masks").iterdir())]))
    found = json.loads((tmp_path / "out" / "dense.json").read_text())["results"]
    mean, per_class = patch_retrieval(*parts, len(found["classes"]), topk=5)
    assert found["miou"] == pytest.approx(mean, abs=0.01)
    each = [np.nan if c["iou"] is None else c["iou"] for c in found["classes"]]
    np.testing.assert_allclose(each, per_class, atol=0.02)
    names = (folder / "classes.txt").read_text().split()
    assert [c["name"] for c in found["classes"]] == names[: len(each)]
    assert f"mean               {100 * found['miou']:.2f}" in out
    assert run(capsys, "dense", *flags)[1].count("features from the cache") == 2
    assert json.loads((tmp_path / "out" / "dense.json").read_text())["results"] == found


def test_masks_are_resized_with_their_images(network, small_sets, capsys, monkeypatch):
    monkeypatch.setattr(dense, "QUICK_IMAGES", 2)
    monkeypatch.setattr(dense, "QUICK_MEMORY", 20)
    flags = ["--backbone=colors", f"--data_dir={small_sets / 'dense'}", "--topk=3", "--quick"]
    status, out, err = run(capsys, "dense", *flags, "--image_size=16")
    assert status == 0, err
    assert "2 training images, 2 test images" in out
    assert "20 of 32 labeled patches are remembered" in out


def test_val_and_numbers_do_too(network, small_sets, tmp_path, capsys):
    def change(copy):
        (copy / "test").rename(copy / "val")
        (copy / "classes.txt").unlink()

    folder = changed(small_sets / "dense", tmp_path, change)
    flags = ["--backbone=colors", f"--data_dir={folder}", "--topk=3", "--num_classes=8"]
    status, out, err = run(capsys, "dense", *flags)
    assert status == 0, err
    assert "\n7      -\n" in out


def without_a_mask(copy):
    (copy / "test" / "masks" / "0001.png").unlink()


def without_an_image(copy):
    (copy / "test" / "images" / "0001.jpg").unlink()


def another_size(copy):
    Image.fromarray(np.zeros((32, 30), np.uint8)).save(copy / "train" / "masks" / "0001.png")


def one_class(copy):
    for path in (copy / "train" / "masks").iterdir():
        Image.fromarray(np.full((32, 32), 3, np.uint8)).save(path)


def no_class(copy):
    for path in (copy / "test" / "masks").iterdir():
        Image.fromarray(np.full((32, 32), 255, np.uint8)).save(path)


def few_names(copy):
    (copy / "classes.txt").write_text("one\ntwo\n")


def no_images(copy):
    for path in (copy / "train" / "images").iterdir():
        path.unlink()


def no_masks(copy):
    shutil.rmtree(copy / "train" / "masks")


def no_test(copy):
    shutil.rmtree(copy / "test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_mask, "0001 is one without the other, 1 in all"),
        (without_an_image, "2 images in"),
        (another_size, "0001.png of 32 x 30 pixels"),
        (one_class, "one class alone, label 3"),
        (no_class, "all pixels 255"),
        (few_names, "a name for each of"),
        (no_images, "--data_dir to be a folder with images"),
        (no_masks, "a folder masks/ in --data_dir"),
        (no_test, "a folder test/ or val/ in --data_dir"),
    ],
)
def test_folders_that_do_not_fit(network, small_sets, tmp_path, capsys, change, message):
    folder = changed(small_sets / "dense", tmp_path, change)
    flags = ["--backbone=colors", f"--data_dir={folder}", "--topk=3"]
    refused(capsys, run, "dense", flags, message)
    assert not list(network.folder.iterdir())


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--topk=0", "topk=0"),
        ("--topk=9999", "Expected --topk to be at most"),
        ("--memory_size=-1", "memory_size=-1"),
        ("--num_classes=2", "Expected --num_classes above the largest label"),
        ("--num_classes=256", "num_classes=256"),
        ("--temperature=0", "temperature=0"),
        ("--temperature=nan", "temperature=nan"),
        ("--image_size=6", "--image_size to be a multiple of 4"),
        ("--seed=-1", "seed=-1"),
    ],
)
def test_flags_are_refused_in_one_line(network, small_sets, capsys, flag, message):
    flags = ["--backbone=colors", f"--data_dir={small_sets / 'dense'}", "--topk=3", flag]
    refused(capsys, run, "dense", flags, message)
    assert not list(network.folder.iterdir())
