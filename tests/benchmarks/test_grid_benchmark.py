"""The grid on CIFAR-10: cells in one table, each run once for one command."""

import pathlib
import shlex
import subprocess
import sys

import numpy as np
import pytest
from absl import flags

from benchmarks import grid
from keras_adasim import data, export
from keras_adasim.pretraining import building
from keras_adasim.pretraining.deciding import Decision
from keras_adasim.pretraining.settings import applicable, objectives_by_name
from tests.pretraining.runs import IGNORED, eagerly, make_images, no_export, one_block

pytestmark = pytest.mark.filterwarnings(IGNORED)
SCRIPT = pathlib.Path(grid.__file__)
TABLE = SCRIPT.with_suffix(".md")
OBJECTIVES = list(objectives_by_name())
SMALL = ("--backbone=vit_mini", "--batch_size=12", "--image_size=8", "--knn_k=3", "--window=1")
SMALL += ("--out_dim=16", "--hidden_dim=8", "--topk=4", "--exclude=color_jitter,grayscale,flip")


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


def places(images, tmp_path):
    return [f"--data_dir={images}", f"--runs_dir={tmp_path / 'runs'}", f"--table={tmp_path / 'md'}"]


def parsed(*words):
    values = flags.FlagValues()
    grid.define(values)
    values(["grid.py", *words])
    return values


@pytest.mark.large
def test_cells_are_appended_once_for_every_command(images, tmp_path, capsys, monkeypatch):
    """Other epochs used to be taken for the finished run, or refused."""
    monkeypatch.setattr(export, "export_backbone", no_export)
    argv = [*places(images, tmp_path), *SMALL, "--objective=simsiam", "--xla=no"]
    for trained in (True, False):
        with eagerly(), one_block():
            grid.main([*argv, "--epochs=1"])
        printed = capsys.readouterr().out
        assert ("epoch 1/1" in printed) == trained
        assert ("is in" in printed) == (not trained)
        *_, head, rule, row = (tmp_path / "md").read_text().splitlines()
    assert head.count("|") == rule.count("|") == row.count("|")
    for word in ("| simsiam | adasim | vit_mini | 24 | 1 | 1 | 0 |", "--batch_size=12"):
        assert word in row
    assert str(tmp_path) not in row
    grid.main([*argv, "--epochs=2", "--dry_run"])
    assert "4 = 2 epochs x 2" in capsys.readouterr().out
    assert len(list((tmp_path / "runs").iterdir())) == 1


@pytest.mark.large
def test_the_script_prints_plans_for_two_devices(images, tmp_path):
    """It didn't start; looking at the images used to fix TensorFlow's devices."""
    argv = [*places(images, tmp_path), *SMALL, "--dry_run", "--devices=2"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *argv, "--pairing=self,adasim"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("12 on 2 devices") == 2
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "md").exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--objective=dyno", "Did you mean `dino`?"),
        ("--pairing=", "--pairing"),
        ("--backbone=resnet18", "resnet18_cifar"),
        ("--queue=3", "queue"),
        ("--queue_size=3", "a setting of nnclr"),
        ("--out=here", "out"),
    ],
)
def test_wrong_cells_get_one_line(flag, message, images, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        grid.main([*places(images, tmp_path), flag])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line.replace("--dino", "`dino`")


def test_images_without_labels_are_refused_before_training(images, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        grid.main(places(images / "train" / "dark", tmp_path))
    assert stopped.value.code == 2
    assert "one sub-folder per class" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_the_command_of_a_cell_has_what_changes_it():
    words = ["--global_scale=0.2,1.0", "--data_dir=/somewhere", "--runs_dir=x", "--devices=2"]
    words += ["--seed=3", "--objective=byol,nnclr", "--pairing=self", "--queue_size=64"]
    (alone, given), (other, more) = grid.cells_of(parsed(*words))
    line = grid.command_of(alone, given)
    assert line == (
        "python benchmarks/grid.py --data_dir=cifar10 --objective=byol --pairing=self "
        "--backbone=resnet18_cifar --global_scale=0.2,1.0 --seed=3"
    )
    # A flag that one of the cells has no use for used to be in its command.
    assert grid.command_of(other, more).endswith("--queue_size=64 --seed=3")
    names = {grid.name_of(alone, given, each) for each in (line, line.replace("3", "4"))}
    assert len(names) == 2


def test_the_rows_of_the_table_are_not_run_again():
    """Their commands had the names of flags that are gone."""
    lines = [row.split("`")[1] for row in TABLE.read_text().splitlines() if "| `python" in row]
    assert len(lines) > 10
    for line in lines:
        ((axes, given),) = grid.cells_of(parsed(*shlex.split(line)[2:]))
        assert grid.command_of(axes, given) == line


def objective_of(name):
    axes = {"objective": name, "pairing": "self", "backbone": "resnet18_cifar"}
    decision = Decision({}, defaults=grid.defaults_of(axes))
    decision.choose(data.ArraySource(np.zeros((16, 32, 32, 3), np.uint8)))
    return building.make_objective(decision, steps_per_epoch=10)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_has_a_cell_without_an_entry_of_its_own(name, monkeypatch):
    monkeypatch.setattr(grid, "PER_OBJECTIVE", {})
    assert isinstance(objective_of(name), objectives_by_name()[name])


@pytest.mark.parametrize("name", list(grid.PER_OBJECTIVE))
def test_what_an_objective_has_otherwise_is_a_setting_of_its_own(name):
    assert set(grid.PER_OBJECTIVE[name]) <= set(applicable((name, "sgd")))


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("dino", {"out_dim": 2048, "num_layers": 2, "use_bn": True, "freeze_last_layer_steps": 0}),
        ("byol", {"out_dim": 256, "hidden_dim": 1024, "num_layers": 2}),
        ("simsiam", {"out_dim": 2048, "num_layers": 2, "predictor_learning_rate": None}),
        ("simclr", {"out_dim": 128, "hidden_dim": 512, "num_layers": 2, "temperature": 0.5}),
        ("moco_v3", {"num_layers": 2, "predictor_last_norm": "none", "temperature": 1.0}),
        ("nnclr", {"out_dim": 256, "num_layers": 2, "queue_size": 4096, "temperature": 0.5}),
    ],
)
def test_heads_are_those_of_the_benchmark(name, published):
    config = objective_of(name).get_config()
    assert {key: config[key] for key in published} == published
