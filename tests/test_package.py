"""What `import keras_adasim` promises."""

import os
import subprocess
import sys

import pytest

KNOWN = "assert keras.saving.get_registered_object('keras_adasim>SelfDistillation')"


def run(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
@pytest.mark.parametrize("order", ["import keras_adasim, keras", "import keras, keras_adasim"])
def test_keras_knows_the_classes(order):
    done = run(f"{order}; {KNOWN}; assert keras_adasim.__version__")
    assert done.returncode == 0, done.stderr
    if order.startswith("import keras_adasim"):
        assert not done.stderr  # TensorFlow's notes used to bury what commands print.


@pytest.mark.slow
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


@pytest.mark.slow
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
