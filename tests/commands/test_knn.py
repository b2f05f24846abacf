"""What all protocols share, seen through the first of them."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.commands import backbone, protocol
from keras_adasim.commands.backbone import Embedder
from tests.commands.protocols import mean_color
from tests.commands.test_console import run
from tests.pretraining.runs import eagerly, one_block


def test_a_table_and_json(embedder, labeled_images, tmp_path, capsys):
    flags = ["--backbone=colors", f"--data_dir={labeled_images}", f"--out={tmp_path / 'out'}"]
    flags += ["--k=3", "--k=1", "--temperature=0.07", "--temperature=0.5"]
    status, out, err = run(capsys, "knn", *flags)
    assert status == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert ["3", "0.07", "100.00", "±", "0.00", "100.00"] in lines
    assert "18 training images, 6 test images" in out
    found = json.loads((tmp_path / "out" / "knn.json").read_text())
    assert found["backbone"] == {
        "name": "colors",
        "fingerprint": "0123456789abcdef",
        "image_size": 8,
    }
    assert found["images"]["test"]["number"] == 6
    assert found["settings"]["k"] == [3, 1]
    assert [(each["k"], each["temperature"]) for each in found["results"]] == [
        *[(3, 0.07), (3, 0.5), (1, 0.07), (1, 0.5)]
    ]
    assert found["results"][0]["top1"] == 1.0
    status, out, _ = run(capsys, "knn", *flags)
    assert out.count("features from the cache") == 2
    assert f"{embedder.folder / 'features'}" in out
    assert json.loads((tmp_path / "out" / "knn.json").read_text()) == found


def test_without_a_test_set_one_is_left_out(embedder, labeled_images, capsys):
    status, out, err = run(
        capsys, "knn", "--backbone=colors", f"--data_dir={labeled_images / 'train'}", "--k=17"
    )
    assert status == 0, err
    assert "18 images and no test set: each is classified by all others" in out
    status, _, err = run(
        capsys, "knn", "--backbone=colors", f"--data_dir={labeled_images / 'train'}", "--k=18"
    )
    assert (status, err.count("\n")) == (2, 1)
    assert "Expected --k from 1 to 17" in err


def test_a_part_of_the_images(embedder, labeled_images, capsys, monkeypatch):
    monkeypatch.setattr(protocol, "QUICK", 5)
    for flags, counts in (
        (["--limit=9"], "9 training images, 6 test images"),
        (["--quick"], "5 training images, 5 test images"),
        (["--quick", "--limit=9"], "5 training images, 5 test images"),
    ):
        flags += ["--backbone=colors", f"--data_dir={labeled_images}", "--k=2"]
        assert counts in run(capsys, "knn", *flags)[1]


def test_features_of_a_backbone_without_a_folder_lie_in_out(
    labeled_images, tmp_path, capsys, monkeypatch
):
    made = Embedder(mean_color, 8, 3, fingerprint="0123456789abcdef")
    monkeypatch.setattr(protocol, "load_embedder", lambda identifier: made)
    flags = ["--backbone=colors", f"--data_dir={labeled_images}", "--k=2"]
    out = run(capsys, "knn", *flags, f"--out={tmp_path / 'out'}")[1]
    assert f"features are kept in {tmp_path / 'out' / 'features'}" in out
    assert len(list((tmp_path / "out" / "features").iterdir())) == 2
    assert "features are kept nowhere" in run(capsys, "knn", *flags)[1]


def _write(folder, *names, array=None):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if array is None:
            keras.utils.save_img(path, np.zeros((8, 8, 3)))
        else:
            np.save(path, array)


@pytest.mark.parametrize(
    ("names", "flags", "message"),
    [
        ((), [], "Expected --data_dir to be a folder with images"),
        (("a.png",), [], "labels"),
        (("cat/a.png", "cat/b.png"), ["--k=1"], "one class"),
        (("cat/a.png", "dog/b.png"), ["--k=0"], "k=0"),
        (("cat/a.png", "dog/b.png"), ["--temperature=nan"], "temperature=nan"),
        (("cat/a.png", "dog/b.png"), ["--limit=-1"], "limit=-1"),
        (("cat/a.png", "dog/b.png"), ["--out={}/a/cat/a.png"], "out"),
        (("cat/a.png", "dog/b.png"), ["--tfds=x"], "either --data_dir or --tfds"),
        (("cat/a.npy", "dog/b.npy"), ["--k=1"], "images of 3 channels"),
    ],
)
def test_refused_in_one_line(embedder, tmp_path, capsys, names, flags, message):
    (tmp_path / "a").mkdir()
    array = np.zeros((8, 8, 4), np.uint8) if "cat/a.npy" in names else None
    _write(tmp_path / "a", *names, array=array)
    flags = [flag.format(tmp_path) for flag in flags]
    status, _, err = run(capsys, "knn", "--backbone=colors", f"--data_dir={tmp_path / 'a'}", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err
    assert not list(embedder.folder.iterdir())


def test_a_saved_model_of_something_else_is_refused(labeled_images, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "saved_model.pb").write_bytes(b"")
    for name in ("other", "images"):
        flags = [f"--backbone={tmp_path / name}", f"--data_dir={labeled_images}"]
        status, _, err = run(capsys, "knn", *flags)
        assert (status, err.count("\n")) == (2, 1)
        assert str(tmp_path / name) in err


def test_what_a_preset_gives():
    """Features, patch tokens and the class tokens of the last blocks, in float32."""
    with one_block():
        keras.utils.set_random_seed(0)
        first = backbone.load_embedder("vit_mini")
        keras.utils.set_random_seed(0)
        assert first.fingerprint == backbone.load_embedder("vit_mini").fingerprint
        assert first.fingerprint != backbone.load_embedder("vit_mini").fingerprint
    images = tf.zeros((2, 32, 32, 3), tf.uint8)
    with eagerly():
        outputs, class_tokens = first.look(images), first.class_tokens(images)
    assert (first.last_blocks, class_tokens.shape) == (1, (2, 1, 12))
    np.testing.assert_allclose(class_tokens[:, -1], outputs["features"], atol=1e-6)
    assert outputs["tokens"].shape[-1] == 12
    assert first.folder is None
