"""The grid: cells in one table, each run once for one command."""

import pathlib
import subprocess
import sys

import cifar10_grid
import pytest

from tests.recipes.test_runner import make_images

SCRIPT = pathlib.Path(cifar10_grid.__file__)


def run(tmp_path, *flags):
    data = tmp_path / "images"
    small = [
        f"--data_dir={data if data.exists() else make_images(data)}",
        f"--runs_dir={tmp_path / 'runs'}",
        f"--table={tmp_path / 'grid.md'}",
        *("--batch_size=8", "--image_size=8", "--knn_k=3", "--window=1", "--topk=4"),
    ]
    return subprocess.run(
        [sys.executable, SCRIPT, *small, *flags], capture_output=True, text=True, check=False
    )


def test_cells_are_appended_once_for_every_command(tmp_path):
    """The script didn't start; other epochs were taken for the finished run, or refused."""
    flags = ("--objectives=simsiam", "--pairings=adasim", "--epochs=2")
    for trained in (True, False):
        done = run(tmp_path, *flags)
        assert done.returncode == 0, done.stderr
        assert ("compiling" in done.stdout) == trained
        *_, head, rule, row = (tmp_path / "grid.md").read_text().splitlines()
    assert head.count("|") == rule.count("|") == row.count("|")
    for word in ("| simsiam | adasim | resnet18_cifar | 24 | 2 | 1 | 0 |", "--batch_size=8"):
        assert word in row
    assert str(tmp_path) not in row
    done = run(tmp_path, *flags[:2], "--epochs=1", "--dry_run")
    assert "steps         3 = 1 epochs x 3" in done.stdout


@pytest.mark.parametrize(
    ("flag", "message"),
    [("--objectives=dyno", "--objectives"), ("--pairings=", "--pairings"), ("--queue=3", "queue")],
)
def test_wrong_cells_get_one_line(tmp_path, flag, message):
    done = run(tmp_path, flag)
    assert done.returncode == 2
    assert message in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_images_without_labels_are_refused_before_training(tmp_path):
    make_images(tmp_path / "images")
    done = run(tmp_path, f"--data_dir={tmp_path / 'images' / 'train' / 'dark'}")
    assert done.returncode == 2
    assert "one folder per class" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_command_of_a_cell_has_what_changes_it():
    given = {"seed": 3, "data_dir": "/somewhere", "global_scale": (0.2, 1.0), "runs_dir": "x"}
    line = cifar10_grid.command_of("byol", "self", "vit_tiny", given)
    assert line == (
        "python recipes/cifar10_grid.py --data_dir=cifar10 --objectives=byol --pairings=self "
        "--backbones=vit_tiny --global_scale=0.2,1.0 --seed=3"
    )
    lines = (line, line.replace("3", "4"))
    assert len({cifar10_grid.name_of("byol", "self", "vit_tiny", 3, each) for each in lines}) == 2
