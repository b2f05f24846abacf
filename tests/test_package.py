"""What `import keras_adasim` promises."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.pretraining.runs import make_images

ROOT = pathlib.Path(__file__).parents[1]
RECIPE = str(ROOT / "recipes" / "adasim_vit_small.py")
PROCESS = """
import runpy, sys
import keras_adasim, keras
assert keras.saving.get_registered_object("keras_adasim>SelfDistillation")
assert keras_adasim.__version__
_, recipe, *arguments = sys.argv
sys.argv = [recipe, "--help"]
runpy.run_path(recipe, run_name="__main__")
print("the recipe is through", flush=True)
keras_adasim.commands.main(arguments)
"""


def run(script, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.mark.large
def test_a_process_of_its_own(tmp_path):
    """From the import to a plan, and nothing on standard error: one process, as each takes long.

    TensorFlow's notes used to bury what commands print, and reading the images used to fix its
    devices before there were two. (Keras is imported first in tests/export/test_fresh_process.)
    """
    images = make_images(tmp_path / "images", splits=("train",)) / "train"
    folders = [f"--data_dir={images / name}" for name in ("dark", "bright")]
    flags = ["--backbone=vit_mini", "--image_size=8", "--patch_size=4", "--batch_size=12"]
    flags += ["--out_dim=16", "--hidden_dim=8", "--epochs=1", "--window=1", "--xla=no"]
    done = run(
        PROCESS, RECIPE, "pretrain", *folders, *flags, "--devices=2", "--channels=1", "--dry_run"
    )
    assert (done.returncode, done.stderr) == (0, "")
    help_text, plan = done.stdout.split("the recipe is through\n")
    assert "adasim_vit_small.py --data_dir=FOLDER" in help_text
    assert "This recipe: 1024." in help_text
    assert "24 of 1 channels" in plan
    assert "12 on 2 devices" in plan


@pytest.mark.large
@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"KERAS_BACKEND": "jax"}, "KERAS_BACKEND=jax"),
        ({"TF_USE_LEGACY_KERAS": "1"}, "TF_USE_LEGACY_KERAS=1"),
    ],
)
def test_other_backends_are_refused_in_a_line(environment, word):
    """They used to end in a traceback from the depths of KerasCV."""
    done = run("import keras_adasim", **environment)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: keras_adasim needs Keras 3 on TensorFlow")
    assert word in last


@pytest.mark.large
def test_the_command_is_refused_in_one_line():
    done = run(
        "import sys; sys.argv = ['bin/keras-adasim']; import keras_adasim", KERAS_BACKEND="torch"
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_pairing_itself_imports_no_tensorflow():
    """Its own files are NumPy alone, so that workers of an input pipeline can be light."""
    script = """
import importlib.util, pathlib, sys, types
package = types.ModuleType("keras_adasim")
package.__path__ = [str(pathlib.Path(importlib.util.find_spec("keras_adasim").origin).parent)]
sys.modules["keras_adasim"] = package
import keras_adasim.pairing
keras_adasim.pairing.get("adasim", num_images=3, topk=2).partners([0])
assert not {"tensorflow", "keras"} & set(sys.modules)
"""
    done = run(script)
    assert done.returncode == 0, done.stderr
