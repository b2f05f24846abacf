"""`keras-adasim linear`: what the classifiers see, how they are trained, and what is told."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.commands import protocol
from keras_adasim.commands.linear import Look
from tests.commands.protocols import color_folder, mean_color
from tests.commands.test_console import run

FLAGS = ["--epochs=12", "--batch_size=6", "--learning_rate=0.00001", "--learning_rate=0.1"]


@pytest.mark.parametrize("how", ["--cached", pytest.param("--nocached", marks=pytest.mark.slow)])
def test_colors_are_told_apart(embedder, labeled_images, tmp_path, capsys, how):
    flags = [f"--data_dir={labeled_images}", f"--out={tmp_path / 'out'}", how, *FLAGS]
    status, out, err = run(capsys, "linear", "--backbone=colors", *flags)
    assert status == 0, err
    assert "15 training, 3 validation and 6 test images" in out
    found = json.loads((tmp_path / "out" / "linear.json").read_text())["results"]
    assert (found["part"], found["learning_rate"], found["top1"]) == ("features", 0.1, 1.0)
    assert [each["learning_rate"] for each in found["sweep"]] == [1e-5, 0.1]
    assert len(list((embedder.folder / "features").iterdir())) == 2


def class_tokens(images):
    features = mean_color(images)["features"]
    return tf.stack([0 * features, features], axis=1)


def with_tokens(images):
    features = mean_color(images)["features"]
    return {"features": features, "tokens": tf.stack([features, 3 * features], axis=1)}


@pytest.fixture
def transformer(embedder):
    """One whose last but one block knows nothing."""
    return dataclasses.replace(embedder, look=with_tokens, class_tokens=class_tokens, last_blocks=2)


def test_what_the_classifiers_see(transformer):
    images = tf.random.stateless_uniform((2, 8, 8, 3), (0, 0), 0, 256, tf.int32)
    color = mean_color(images)["features"]
    seen = Look(transformer, [1, 2, 4], patches=True)
    expected = np.concatenate([0 * color, color, 2 * color], axis=1)
    np.testing.assert_allclose(seen(images), expected, rtol=1e-5)
    assert seen.parts(9)["1 block + patches"] == (3, 9)
    assert seen.took == "class tokens of 2 blocks and mean patch token"
    alone = Look(transformer, [2], patches=False)
    np.testing.assert_allclose(alone(images), expected[:, :6], rtol=1e-5)
    assert alone.parts(6) == {"2 blocks": (0, 6)}


@pytest.mark.slow
def test_a_table_with_all_parts(transformer, labeled_images, capsys, monkeypatch):
    monkeypatch.setattr(protocol, "load_embedder", lambda identifier: transformer)
    flags = [f"--data_dir={labeled_images}", "--cached", "--blocks=1", "--blocks=2", *FLAGS]
    status, out, err = run(capsys, "linear", "--backbone=tokens", *flags)
    assert status == 0, err
    for part in ("1 block", "1 block + patches", "2 blocks", "2 blocks + patches"):
        assert f"\n{part}" in out
    assert "1 block *" in out


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--learning_rate=0", "learning_rate=0"),
        ("--momentum=1", "momentum=1"),
        ("--epochs=0", "epochs=0"),
        ("--blocks=0", "blocks=0"),
    ],
)
def test_refused_in_one_line(embedder, labeled_images, capsys, flag, message):
    flags = ["--backbone=colors", f"--data_dir={labeled_images}", flag]
    status, _, err = run(capsys, "linear", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err


def test_one_image_per_class_is_refused(embedder, tmp_path, capsys):
    color_folder(tmp_path / "few" / "train", per_class=1)
    color_folder(tmp_path / "few" / "test", per_class=1)
    flags = ["--backbone=colors", f"--data_dir={tmp_path / 'few'}"]
    status, _, err = run(capsys, "linear", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert "two training images" in err
