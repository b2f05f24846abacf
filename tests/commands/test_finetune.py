"""`keras-adasim finetune`: what it writes, says and refuses."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_adasim as ka
from keras_adasim.commands import finetune
from keras_adasim.commands.backbone import load_pretrained
from tests.commands.protocols import color_folder
from tests.commands.test_console import run
from tests.pretraining.runs import IGNORED, eagerly

FLAGS = ["--epochs=4", "--batch_size=6", "--learning_rate=1", "--warmup_epochs=0"]


@pytest.fixture
def flags(labeled_images, tmp_path):
    return ["--backbone=colors", f"--data_dir={labeled_images}", f"--out={tmp_path / 'out'}"]


@pytest.mark.slow
@pytest.mark.filterwarnings(IGNORED)
def test_a_classifier_that_needs_nothing_else(pretrained, labeled_images, flags, tmp_path, capsys):
    (labeled_images / "train" / "red" / "broken.png").write_text("no image")
    with eagerly():
        status, out, err = run(capsys, "finetune", *flags, *FLAGS)
    assert status == 0, err
    assert "1 of 19 training images can't be read and are left out" in out
    assert "broken.png (8 bytes of no known image format)" in out
    assert "15 training, 3 validation and 6 test images" in out
    assert "epoch 4/4: loss" in out
    assert "loads with Keras alone" in out
    found = json.loads((tmp_path / "out" / "finetune.json").read_text())
    results = found["results"]
    assert results["top1"] == 1.0
    assert results["classes"] == ["blue", "green", "red"]
    assert found["left_out"] == {"red/broken.png": "8 bytes of no known image format"}
    assert [row["epoch"] for row in results["log"]] == [1, 2, 3, 4]
    assert (found["backbone"]["image_size"], found["images"]["train"]["number"]) == (8, 18)
    classifier = keras.saving.load_model(tmp_path / "out" / "classifier.keras")
    images = np.zeros((3, 9, 12, 3), np.uint8)
    images[range(3), :, :, range(3)] = 200
    assert list(np.argmax(classifier(images), axis=1)) == [0, 1, 2]
    served = tf.saved_model.load(str(tmp_path / "out" / "classifier"))
    np.testing.assert_allclose(served.serve(images)["logits"], classifier(images), atol=1e-5)
    assert list(served.class_names().numpy()) == [b"blue", b"green", b"red"]
    # A second run is refused, and told how to go on, before anything is trained.
    status, out, err = run(capsys, "finetune", *flags, *FLAGS)
    assert (status, err.count("\n"), out) == (2, 1, "")
    assert "--overwrite" in err
    with eagerly():
        again = run(capsys, "finetune", *flags, *FLAGS, "--overwrite", "--validation=0")
    assert again[0] == 0, again[2]
    assert "18 training, 0 validation and 6 test images" in again[1]


def test_quick_takes_less(pretrained, labeled_images, flags, capsys, monkeypatch):
    monkeypatch.setattr(finetune, "QUICK_SECONDS", 1e-9)
    protocol = finetune.Protocol("finetune", pretrained, None, None, {"image_size": 8, "seed": 0})
    train, test = ka.data.open_splits(labeled_images)
    fewer, _, epochs = finetune.less_of(protocol, train, test)
    assert (len(fewer), epochs) == (12, 1)
    assert "12 training images, 6 test images and 1 epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--epochs=0", "Expected --epochs"),
        ("--batch_size=99", "Expected --batch_size"),
        ("--layer_decay=2", "Expected --layer_decay"),
        ("--validation=1", "Expected --validation"),
        ("--image_size=1", "Expected --image_size"),
        ("--image_size=0", "Expected --image_size"),  # Used to be the backbone's own.
        ("--devices=-1", "Expected --devices"),
        ("--drop_path=0.1", "Expected --drop_path"),
        ("--data_dir=/nowhere", "/nowhere"),
    ],
)
def test_refused_in_one_line(pretrained, flags, tmp_path, capsys, flag, message):
    status, _, err = run(capsys, "finetune", *flags, flag)
    assert (status, err.count("\n")) == (2, 1), err
    assert message in err
    assert not (tmp_path / "out").exists()


def test_bad_files_alone_and_one_class(pretrained, flags, tmp_path, capsys):
    (tmp_path / "bad" / "a").mkdir(parents=True)
    (tmp_path / "bad" / "b").mkdir()
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / "bad" / name).write_text("x")
    status, _, err = run(capsys, "finetune", *flags, f"--data_dir={tmp_path / 'bad'}")
    assert (status, err.count("\n")) == (2, 1)
    assert "images that can be read" in err
    color_folder(tmp_path / "one", classes=("blue",))
    status, _, err = run(capsys, "finetune", *flags, f"--data_dir={tmp_path / 'one'}")
    assert (status, err.count("\n")) == (2, 1)
    assert "two classes or more" in err


def test_stopped(pretrained, flags, tmp_path, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune, "train_classifier", stop)
    assert run(capsys, "finetune", *flags)[::2] == (130, "stopped; no classifier was written\n")
    assert not (tmp_path / "out").exists()


def test_old_exports_and_strangers_are_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_text("")
    with pytest.raises(ValueError, match=r"keras_adasim\.json"):
        load_pretrained(tmp_path)
    facts = {"image_size": 8, "channels": 3, "feature_dim": 2, "last_blocks": 0}
    facts |= {"mean": [0.5] * 3, "std": [0.5] * 3}
    facts |= {"trainable_variables": [], "non_trainable_variables": []}
    (tmp_path / "keras_adasim.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match="keras-adasim export --backbone=RUN --out=FOLDER"):
        load_pretrained(tmp_path)


FRESH = """
import sys
import keras
import keras_adasim
import numpy as np

classifier = keras.saving.load_model(sys.argv[1])
with np.load(sys.argv[2]) as arrays:
    np.testing.assert_allclose(classifier(arrays["images"]), arrays["logits"], atol=1e-5)
print(*classifier.class_names)
"""


@pytest.mark.large
def test_from_an_export_to_another_process_after_it_is_gone(labeled_images, tmp_path, capsys):
    """A Vision Transformer, its export, the command, and a process that knows neither."""
    export = tmp_path / "export"
    backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=12, depth=2, num_heads=2)
    ka.export.export_backbone(backbone, export, 8)
    flags = [f"--backbone={export}", f"--data_dir={labeled_images}", f"--out={tmp_path / 'out'}"]
    status, out, err = run(capsys, "finetune", *flags, "--epochs=3", "--mixup=0.2", "--cutmix=1")
    assert status == 0, err
    assert "with `import keras_adasim`" in out
    export.rename(tmp_path / "gone")
    images = np.random.default_rng(0).integers(0, 256, (3, 10, 14, 3), np.uint8)
    served = tf.saved_model.load(str(tmp_path / "out" / "classifier"))
    np.savez(tmp_path / "known.npz", images=images, logits=served.serve(images)["logits"])
    arguments = [tmp_path / "out" / "classifier.keras", tmp_path / "known.npz"]
    done = subprocess.run(
        [sys.executable, "-c", FRESH, *arguments], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "blue green red\n"
