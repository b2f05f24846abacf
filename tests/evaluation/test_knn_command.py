import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from evaluation import knn
from keras_adasim.data import ArraySource
from keras_adasim.export import export_backbone, load_backbone

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """The mean of each channel as an exported backbone."""
    images = keras.Input((None, None, 3))
    tokens = keras.layers.Reshape((-1, 3))(keras.layers.AveragePooling2D(4)(images))
    features = keras.layers.GlobalAveragePooling1D()(tokens)
    path = tmp_path_factory.mktemp("export") / "mean"
    export_backbone(keras.Model(images, {"features": features, "tokens": tokens}), path, 8)
    return path


def _colours(count, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 60, (count, 8, 8, 3))
    images[np.arange(count), ..., labels] += 150
    return images.astype(np.uint8), labels


@pytest.fixture
def data_dir(tmp_path):
    for split, count in (("train", 24), ("val", 9)):
        for i, (image, label) in enumerate(zip(*_colours(count, count), strict=True)):
            path = tmp_path / split / "rgb"[label] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tf.io.encode_png(image).numpy())
    return tmp_path


def test_evaluation(backbone, capsys):
    train, test = (ArraySource(*_colours(count, count)) for count in (30, 12))
    accuracies = knn.evaluate(load_backbone(backbone), train, test, (3, 5), batch_size=7)
    assert accuracies == {3: (1.0, 1.0), 5: (1.0, 1.0)}
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("30 training images, 12 test images, ")
    assert first.endswith(" images/s")
    assert others == [f"k={k}: top-1 100.00 %, top-5 100.00 %" for k in (3, 5)]


def test_limit(backbone, capsys):
    train, test = (ArraySource(*_colours(count, count)) for count in (30, 12))
    knn.evaluate(load_backbone(backbone), train, test, (3,), limit=15)
    assert capsys.readouterr().out.startswith("15 training images, 12 test images")
    with pytest.raises(ValueError, match=r"--k from 1 to 15.*k=20"):
        knn.evaluate(load_backbone(backbone), train, test, (20,), limit=15)


def test_folders(data_dir):
    train, test = knn.folder_sources(data_dir, channels=3)
    assert (len(train), len(test)) == (24, 9)
    assert len(knn.folder_sources(data_dir, 1, test_split="train")[1]) == 24


def test_folders_that_do_not_fit(data_dir):
    with pytest.raises(FileNotFoundError, match=r"--data_dir to be a folder. Received: .*nowhere"):
        knn.folder_sources(data_dir / "nowhere", 3)
    with pytest.raises(FileNotFoundError, match=r"folder holdout.*train, val.*--test_split"):
        knn.folder_sources(data_dir, 3, test_split="holdout")
    (data_dir / "val").rename(data_dir / "other")
    with pytest.raises(FileNotFoundError, match=r"folder test or val, with one sub-folder per"):
        knn.folder_sources(data_dir, 3)
    (data_dir / "other").rename(data_dir / "test")
    (data_dir / "test" / "g").rename(data_dir / "test" / "green")
    with pytest.raises(ValueError, match=r"same class folders.*2 that only one .*: g, green"):
        knn.folder_sources(data_dir, 3)


def test_images_without_labels(backbone):
    images = ArraySource(_colours(6, 0)[0])
    with pytest.raises(ValueError, match="images with labels"):
        knn.evaluate(load_backbone(backbone), images, images, (1,))


def _command(*flags):
    return subprocess.run(
        [sys.executable, "-m", "evaluation.knn", *flags], cwd=ROOT, capture_output=True, text=True
    )


def test_command(backbone, data_dir):
    run = _command(f"--backbone={backbone}", f"--data_dir={data_dir}", "--k=1", "--k=4")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[1:] == [
        "k=1: top-1 100.00 %, top-5 100.00 %",
        "k=4: top-1 100.00 %, top-5 100.00 %",
    ]


def test_wrong_path_is_one_line(data_dir):
    run = _command("--backbone=nowhere", f"--data_dir={data_dir}")
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith(
        "knn.py: Expected a folder that `export_backbone`"
    )
    assert "Traceback" not in run.stderr
