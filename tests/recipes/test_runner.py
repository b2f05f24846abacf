"""Recipes: from flags to a finished run, a continued one, and errors of one line."""

import inspect
import json
import pathlib
import re
import subprocess
import sys

import building
import cifar10_grid
import dino
import keras
import networks
import numpy as np
import pytest
import runner
from settings import SETTINGS, pick

from keras_adasim import backbones, export, objectives
from tests.models import tiny

ROOT = pathlib.Path(__file__).parents[2]
RECIPES = sorted(ROOT.glob("recipes/*_*.py"))
METHODS = cifar10_grid.find_methods()


def make_images(folder, per_class=12, size=10):
    """Two classes of noise, one dark and one bright, as PNG files."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label, level in (("dark", 40), ("bright", 200)):
            (folder / split / label).mkdir(parents=True)
            for i in range(per_class):
                pixels = rng.integers(level - 40, level + 40, (size, size, 3))
                keras.utils.save_img(folder / split / label / f"{i}.png", pixels, scale=False)
    return folder


def tiny_settings(tmp_path, **changes):
    settings = {name: setting.default for name, setting in SETTINGS.items()}
    small = {
        "data_dir": str(make_images(tmp_path / "images")),
        "runs_dir": str(tmp_path / "runs"),
        "name": "tiny",
        "epochs": 2,
        "window": 1,
        "warmup_epochs": 1,
        "batch_size": 8,
        "topk": 4,
        "image_size": 8,
        "patch_size": 4,
        "drop_path_rate": 0.0,
        "out_dim": 16,
        "hidden_dim": 8,
        "bottleneck_dim": 4,
        "knn_k": 3,
    }
    return {**settings, **small, **changes}


def tiny_backbone(image_size, patch_size, drop_path_rate, channels):
    return backbones.VisionTransformer(
        image_size, patch_size, 8, 1, 2, drop_path_rate=drop_path_rate, channels=channels
    )


def test_a_run_leaves_its_results_and_is_not_run_twice(tmp_path, capsys):
    settings = tiny_settings(tmp_path)
    result = runner.pretrain(tiny_backbone, dino.objective, **settings)
    directory = tmp_path / "runs" / "tiny"
    assert json.loads((directory / "result.json").read_text()) == result
    for name in ("knn_before", "knn_after", "knn_raw_pixels", "gate_open", "images_per_second"):
        assert result[name] >= 0
    assert result["image_size"] == 8
    assert result["channels"] == 3
    assert (pathlib.Path(result["saved_model"]) / "saved_model.pb").exists()
    assert len((directory / "log.csv").read_text().splitlines()) == 3
    assert list((directory / "tensorboard").rglob("events*"))
    printed = capsys.readouterr().out
    assert "epoch 2/2" in printed
    assert "images/s" in printed

    again = runner.pretrain(tiny_backbone, dino.objective, **settings)
    assert "nothing left to train" in capsys.readouterr().out
    assert again == result

    with pytest.raises(ValueError, match=r"--learning_rate=0\.0005"):
        runner.pretrain(tiny_backbone, dino.objective, **{**settings, "learning_rate": 1.0})


@pytest.mark.parametrize("pairing", ["self", "nearest", "oracle"])
def test_a_dry_run_prints_the_plan_and_leaves_nothing(tmp_path, capsys, pairing):
    settings = tiny_settings(tmp_path, pairing=pairing, num_local=2, local_size=4)
    assert runner.pretrain(tiny_backbone, dino.objective, dry_run=True, **settings) is None
    printed = capsys.readouterr().out
    for word in (
        "images        24",
        "steps         6 = 2 epochs x 3",
        "parameters",
        "bank",
        "window",
    ):
        assert word in printed
    assert "checkpoint" in printed
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("window", [1, 2])
def test_a_plan_warns_of_a_gate_that_cannot_open(tmp_path, capsys, window):
    settings = tiny_settings(tmp_path, window=window)
    runner.pretrain(tiny_backbone, dino.objective, dry_run=True, **settings)
    warned = "--epochs=2 is not larger than --window=2" in capsys.readouterr().out
    assert warned == (window == 2)


def test_flat_folders_need_no_labels(tmp_path):
    settings = tiny_settings(tmp_path)
    settings["data_dir"] += "/train/dark"
    result = runner.pretrain(tiny_backbone, dino.objective, **{**settings, "topk": 2})
    assert result["knn_after"] is None
    with pytest.raises(ValueError, match="--pairing=oracle"):
        runner.pretrain(tiny_backbone, dino.objective, **{**settings, "pairing": "oracle"})


def test_every_setting_reaches_a_function():
    modules = (building, runner, dino, networks)
    functions = [f for m in modules for _, f in inspect.getmembers(m, inspect.isfunction)]
    functions += [method.objective for method in METHODS.values()]
    named = {name for function in functions for name in inspect.signature(function).parameters}
    direct = set(re.findall(r'settings\["(\w+)"\]', inspect.getsource(runner)))
    assert set(cifar10_grid.all_settings(METHODS)) <= named | direct


def test_every_objective_is_a_method_of_a_recipe():
    modules = {name for name in objectives.__all__ if name.islower()}
    assert set(METHODS) == modules
    for name, method in METHODS.items():
        settings = {key: setting.default for key, setting in method.all_settings.items()}
        settings |= {**cifar10_grid.DEFAULTS, **method.cifar10, "steps_per_epoch": 10}
        built = method.objective(**pick(method.objective, settings))
        assert type(built).__module__ == f"keras_adasim.objectives.{name}"


def test_a_recipe_sets_what_there_is():
    with pytest.raises(ValueError, match="learning_rat"):
        runner.define_flags(learning_rat=1.0)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epoch=3"], "epochs"),
        (["--data_dir=/nowhere"], "/nowhere"),
        ([], "--data_dir"),
    ],
)
def test_wrong_flags_get_one_line(flags, message):
    recipe = ROOT / "recipes" / "adasim_vit_small.py"
    done = subprocess.run([sys.executable, recipe, *flags], capture_output=True, text=True)
    assert done.returncode == 2
    # TensorFlow's notes about the machine used to come first.
    (last,) = done.stderr.strip().splitlines()
    assert message in last
    assert "Traceback" not in done.stderr


def test_two_devices_and_one_channel_from_the_command_line(tmp_path):
    """Reading the images used to fix TensorFlow's devices before there were two."""
    recipe = ROOT / "recipes" / "pretrain.py"
    flags = [f"--data_dir={make_images(tmp_path / 'images')}", "--devices=2", "--channels=1"]
    done = subprocess.run(
        [sys.executable, recipe, *flags, "--dry_run"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "24 of 1 channels" in done.stdout
    assert "on 2 devices" in done.stdout
    done = subprocess.run(
        [sys.executable, recipe, *flags, "--dry_run", "--batch_size=7"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "--batch_size that 2 devices share evenly" in done.stderr


def test_thirteen_channels_from_files_to_the_export(tmp_path, capsys):
    """Recipes took JPEG and PNG files alone, which hold three channels at most."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label, level in (("field", 40), ("water", 200)):
            (tmp_path / "images" / split / label).mkdir(parents=True)
            for i in range(8):
                pixels = rng.integers(level - 40, level + 40, (10, 10, 13)).astype("uint8")
                np.save(tmp_path / "images" / split / label / f"{i}.npy", pixels)
    (tmp_path / "unused").mkdir()
    settings = tiny_settings(tmp_path / "unused", runs_dir=str(tmp_path / "runs"))
    settings |= {
        "data_dir": str(tmp_path / "images"),
        "channels": 13,
        "mean": (0.45,) * 13,
        "std": (0.2,) * 13,
    }
    result = runner.pretrain(tiny_backbone, dino.objective, **settings)
    assert result["channels"] == 13
    assert "left out      color_jitter, grayscale" in capsys.readouterr().out
    exported = export.load_backbone(result["saved_model"])
    assert exported(rng.integers(0, 256, (2, 10, 10, 13), np.uint8))["features"].shape == (2, 8)


def test_weights_of_one_network_need_no_key(tmp_path):
    """The default key used to refuse checkpoints, such as torchvision's, of one network."""
    trained = tiny.vit()
    np.savez(tmp_path / "weights.npz", **backbones.torch_state(trained))
    model = tiny.model()
    building.load_weights(model, str(tmp_path / "weights.npz"), SETTINGS["weights_key"].default)
    for fresh in (model.student, model.teacher):
        for expected, found in zip(trained.weights, fresh.weights, strict=True):
            np.testing.assert_array_equal(found.numpy(), expected.numpy())
    with pytest.raises(FileNotFoundError, match="--weights"):
        building.load_weights(model, str(tmp_path / "wieghts.npz"), "")


def test_help_lists_the_settings():
    recipe = ROOT / "recipes" / "adasim_vit_small.py"
    done = subprocess.run([sys.executable, recipe, "--help"], capture_output=True, text=True)
    assert "--pairing" in done.stdout
    assert "--learning_rate" in done.stdout


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_docstrings_are_the_experiment(recipe):
    text = recipe.read_text().split('"""')[1]
    for word in ("Hardware:", "Time:", "Expected", f"python recipes/{recipe.name}"):
        assert word in text
