"""What `make` runs, and where: the environment's Python is one that tells what it was given."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


@pytest.fixture
def make(tmp_path):
    """Runs make; returns its Python's working directory and arguments."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\npwd -P\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)

    def call(*arguments, cwd=ROOT, pwd=None):
        done = subprocess.run(
            # An environment that stands already, so that nothing is installed.
            ["make", *arguments, f"VENV={tmp_path / 'venv'}", f"READY={tmp_path / 'venv'}"],
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "PWD": str(pwd or cwd)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        # After the echoed commands, which hold neither a bare path nor a bare argument.
        return [line for line in done.stdout.splitlines() if not line.startswith(("make", "cd "))]

    return call


def test_pretrain_runs_the_recipe_in_the_repository(make):
    assert make("pretrain") == [str(ROOT), f"{ROOT}/recipes/pretrain.py"]


def test_data_name_and_flags_reach_the_recipe(make):
    _, _, *flags = make("pretrain", "DATA=my photos", "NAME=a run", "FLAGS=--epochs=2 --seed=1")
    assert flags == ["--data_dir=my photos", "--name=a run", "--epochs=2", "--seed=1"]


@pytest.mark.parametrize("path", ["~/photos", "it's", 'an "odd" name', "back`tick"])
def test_paths_are_passed_as_they_are(make, path):
    """Quotes and backticks used to be the shell's."""
    assert make("pretrain", f"DATA={path}")[2:] == [f"--data_dir={path}"]


@pytest.mark.parametrize("flag", ["-C", "--directory"])
def test_under_another_folder_the_user_stays_where_he_stands(make, tmp_path, flag):
    """A relative DATA and runs/ used to be taken for folders of the repository."""
    here = tmp_path / "my projects"
    here.mkdir()
    lines = make(flag, str(ROOT), "pretrain", "DATA=photos", cwd=here)
    assert lines == [str(here), f"{ROOT}/recipes/pretrain.py", "--data_dir=photos"]


@pytest.mark.parametrize("data", ["photos", "w"])
def test_a_program_that_calls_make_has_a_folder_of_its_own(make, tmp_path, data):
    """Its PWD stays that of the shell it was started from."""
    assert make("pretrain", f"DATA={data}", pwd=tmp_path)[0] == str(ROOT)


def test_tests_are_those_that_are_asked_for(make):
    lines = make("test", "TESTS=tests/pairing tests/layers")
    assert lines[-4:] == ["-m", "not large", "tests/pairing", "tests/layers"]
    assert make("test", "LARGE=1")[-2:] == ["-m", "large"]
