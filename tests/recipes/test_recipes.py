"""Recipes: one call each, with the settings that were published."""

import ast
import pathlib
import runpy
import sys

import numpy as np
import pytest

from keras_adasim import data
from keras_adasim.commands import pretrain
from keras_adasim.pretraining import building, photographs
from keras_adasim.pretraining.deciding import Decision
from keras_adasim.pretraining.settings import SETTINGS, applicable

FOLDER = pathlib.Path(__file__).parents[2] / "recipes"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.py"))
EXPERIMENTS = [name for name in RECIPES if name != "pretrain"]
ADAMW = {
    "optimizer": "adamw",
    "weight_decay": 0.04,
    "final_weight_decay": 0.4,
    "clipnorm": 3.0,
    "warmup_epochs": 10,
    "momentum": 0.996,
    "final_momentum": 1.0,
    "policy": "dino",
}
DINO = {
    **ADAMW,
    "objective": "dino",
    "pairing": "adasim",
    "out_dim": 65536,
    "hidden_dim": 2048,
    "bottleneck_dim": 256,
    "num_layers": 3,
    "use_bn": False,
    "norm_last_layer": True,
    "student_temperature": 0.1,
    "teacher_temperature": 0.04,
    "warmup_teacher_temperature": 0.04,
    "warmup_teacher_temperature_epochs": 0,
    "center_momentum": 0.9,
    "freeze_last_layer_epochs": 1,
    "window": 50,
    "topk": 10,
    "sampling_temperature": 1e-3,
    "neighbor_feature": "first",
    "global_scale": (0.4, 1.0),
    "num_local": 0,
    "exclude": (),
}
LARS = {
    "pairing": "self",
    "backbone": "resnet50",
    "optimizer": "lars",
    "optimizer_momentum": 0.9,
    "trust_coefficient": 1e-3,
    "batch_size": 4096,
    "epochs": 100,
    "warmup_epochs": 10,
    "learning_rate": 0.3,
    "final_learning_rate": 0.0,
    "weight_decay": 1e-6,
    "final_weight_decay": 1e-6,
    "clipnorm": 0.0,
    "policy": "symmetric",
    "global_scale": (0.08, 1.0),
    "num_local": 0,
    "image_size": 224,
}
# What the papers and their code have. Learning rates are per 256 images.
PUBLISHED = {
    "adasim_vit_small": {
        **DINO,
        "backbone": "vit_small",
        "image_size": 224,
        "patch_size": 16,
        "drop_path_rate": 0.1,
        "batch_size": 1024,
        "epochs": 100,
        "learning_rate": 5e-4,
        "final_learning_rate": 1e-6,
    },
    "adasim_vit_base": {
        **DINO,
        "backbone": "vit_base",
        "patch_size": 16,
        "drop_path_rate": 0.1,
        "batch_size": 1024,
        "epochs": 400,
        "learning_rate": 7.5e-4,
        "final_learning_rate": 2e-6,
        "teacher_temperature": 0.07,
        "warmup_teacher_temperature_epochs": 50,
        "freeze_last_layer_epochs": 3,
        "clipnorm": 0.3,
        "global_scale": (0.25, 1.0),
    },
    "adasim_resnet50": {
        **DINO,
        "backbone": "resnet50",
        "batch_size": 512,
        "epochs": 100,
        "optimizer": "sgd",
        "optimizer_momentum": 0.9,
        "learning_rate": 0.03,
        "final_learning_rate": 1e-6,
        "weight_decay": 1e-4,
        "final_weight_decay": 1e-4,
        "clipnorm": 0.0,
        "global_scale": (0.14, 1.0),
    },
    "adasim_swin_tiny": {
        **DINO,
        "objective": "esvit",
        "backbone": "swin_tiny",
        "window_size": 7,
        "drop_path_rate": 0.1,
        "batch_size": 512,
        "epochs": 300,
        "learning_rate": 5e-4,
        "final_learning_rate": 1e-6,
        "norm_last_layer": False,
        "teacher_temperature": 0.07,
        "warmup_teacher_temperature_epochs": 30,
        "region_weight": 0.5,
        "region_start_epoch": 200,
        "num_local": 8,
        "local_size": 96,
        "local_scale": (0.05, 0.4),
    },
    "adasim_vit_tiny_cifar10": {
        **DINO,
        "backbone": "vit_tiny",
        "image_size": 32,
        "patch_size": 4,
        "drop_path_rate": 0.1,
        "batch_size": 512,
        "epochs": 36,
        "learning_rate": 5e-4,
        "final_learning_rate": 1e-6,
        "out_dim": 4096,
        "window": 5,
        "sampling_temperature": 0.01,
        "global_scale": (0.2, 1.0),
        "exclude": ("blur",),
    },
    "adasim_hub_dinov2": {
        **DINO,
        "backbone": "hub:dinov2_small",
        "batch_size": 64,
        "epochs": 50,
        "window": 10,
        "warmup_epochs": 2,
        "learning_rate": 1e-4,
        "out_dim": 4096,
    },
    "byol_resnet50": {
        **LARS,
        "objective": "byol",
        "learning_rate": 0.45,
        "momentum": 0.99,
        "final_momentum": 1.0,
        "policy": "dino",
        "out_dim": 256,
        "hidden_dim": 4096,
        "num_layers": 2,
        "zero_init_residual": True,
    },
    "nnclr_resnet50": {
        **LARS,
        "objective": "nnclr",
        "out_dim": 256,
        "hidden_dim": 2048,
        "num_layers": 3,
        "predictor_hidden_dim": 4096,
        "queue_size": 98304,
        "temperature": 0.1,
        "zero_init_residual": False,
    },
    "simclr_resnet50": {
        **LARS,
        "objective": "simclr",
        "out_dim": 128,
        "hidden_dim": 2048,
        "num_layers": 2,
        "temperature": 0.1,
        "zero_init_residual": False,
    },
    "simsiam_resnet50": {
        **LARS,
        "objective": "simsiam",
        "optimizer": "sgd",
        "batch_size": 512,
        "warmup_epochs": 0,
        "learning_rate": 0.05,
        "weight_decay": 1e-4,
        "final_weight_decay": 1e-4,
        "global_scale": (0.2, 1.0),
        "out_dim": 2048,
        "hidden_dim": 2048,
        "num_layers": 3,
        "predictor_hidden_dim": 512,
        "predictor_learning_rate": "base",
        "zero_init_residual": True,
    },
    "mocov3_vit_small": {
        **ADAMW,
        "objective": "moco_v3",
        "pairing": "self",
        "backbone": "vit_small",
        "patch_size": 16,
        "num_heads": 12,
        "drop_path_rate": 0.0,
        "batch_size": 1024,
        "epochs": 300,
        "warmup_epochs": 40,
        "learning_rate": 1.5e-4,
        "final_learning_rate": 0.0,
        "weight_decay": 0.1,
        "final_weight_decay": 0.1,
        "clipnorm": 0.0,
        "momentum": 0.99,
        "out_dim": 256,
        "hidden_dim": 4096,
        "num_layers": 3,
        "predictor_last_norm": "plain",
        "temperature": 0.2,
        "freezes_patch_embedding": True,
        "global_scale": (0.08, 1.0),
    },
}
del PUBLISHED["simsiam_resnet50"]["trust_coefficient"]


@pytest.fixture
def call_of(monkeypatch):
    """Runs a recipe as a script, and returns what it passes to `pretrain.main`."""

    def run(name):
        calls = []
        monkeypatch.setattr(pretrain, "main", lambda **settings: calls.append(settings))
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        (call,) = calls
        return call

    return run


def settled(settings):
    """The decision of a recipe for a few images."""
    decision = Decision({}, defaults=settings)
    decision.choose(data.ArraySource(np.zeros((16, 32, 32, 3), np.uint8)))
    return decision


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_its_experiment_and_one_call(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert len(text.splitlines()) <= 35
    docstring, *imports, main = ast.parse(text).body
    assert all(isinstance(node, ast.ImportFrom) for node in imports)
    assert isinstance(main, ast.If)
    (call,) = main.body
    assert ast.unparse(call.value.func) == "pretrain.main"
    for word in ("Hardware:", "Time:", "Expected", f"python recipes/{name}.py --data_dir="):
        assert word in docstring.value.value
    if name == "pretrain":
        assert "make pretrain" in docstring.value.value


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_recipe_has_the_published_settings(name, call_of):
    decision = settled(call_of(name))
    published = PUBLISHED[name]
    assert {setting: decision.values.get(setting) for setting in published} == published


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_setting_of_a_recipe_is_one_of_its_run(name, call_of):
    """A setting of another method would be passed over in silence."""
    settings = call_of(name)
    decision = settled(settings)
    axes = [decision[axis] for axis in ("backbone", "objective", "pairing", "optimizer")]
    assert set(settings) <= set(applicable(axes)) <= set(SETTINGS)
    objective = building.make_objective(decision, steps_per_epoch=10)
    assert type(objective).__module__.endswith(f".{decision['objective']}")
    building.make_optimizer(decision, 10 * decision["epochs"], 10)


def test_the_demo_leaves_the_choice_to_the_images(call_of):
    assert call_of("pretrain") == {"demo": photographs.as_source}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epoch=3"], "epoch"),
        (["--data_dir=/nowhere"], "/nowhere"),
        (["--queue_size=3", "--data_dir=/nowhere"], "/nowhere"),
        ([], "--data_dir"),
    ],
)
def test_wrong_flags_get_one_line(flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["adasim_vit_small.py", *flags])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(FOLDER / "adasim_vit_small.py"), run_name="__main__")
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("adasim_vit_small.py: ")
    assert message in line
    assert not list(tmp_path.iterdir())
