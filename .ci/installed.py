"""Checks an installed keras_adasim from the outside, in an empty folder: `python installed.py`.

With `--short` what no version of Python changes is left out.
"""

import importlib.metadata
import json
import pathlib
import subprocess
import sys
import time

from images import make_images

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
COMMAND = pathlib.Path(sys.executable).with_name("keras-adasim")

FROM_PYTHON = """
import json, pathlib, sys
import keras_adasim as ka
assert pathlib.Path(ka.__file__).is_relative_to(sys.prefix), ka.__file__
result = ka.pretrain("images/train", "from_python", "vit_mini", epochs=3, image_size=16)
assert result == json.loads(pathlib.Path("from_python/result.json").read_text()), result
"""

PLAIN_TENSORFLOW = """
import sys
import numpy as np, tensorflow as tf
for path in sys.argv[1:]:
    backbone = tf.saved_model.load(path)
    features = backbone.serve(np.zeros((2, 50, 60, 3), "uint8"))["features"]
    assert features.shape[0] == 2 and np.isfinite(features).all(), features
assert "keras_adasim" not in sys.modules
"""

EMBEDDED = """
import numpy as np
with np.load("features.npz") as arrays:
    assert len(arrays["features"]) == len(arrays["labels"]) == 4, arrays
"""


def main():
    """Runs all checks in the working directory; the first that fails ends it."""
    make_images("images/train", 10)
    make_images("images/test", 2)
    check("keras-adasim --version", says=importlib.metadata.version("keras-adasim"))
    tiny = "--image_size=16 --exclude=color_jitter" if "--short" in sys.argv else ""
    pretrain = f"keras-adasim pretrain --data_dir=images --out=run --epochs=3 {tiny}"
    check(f"{pretrain} --backbone=vit_mini")
    result = json.loads(pathlib.Path("run/result.json").read_text())
    expect("knn_after" in result, f"k-NN accuracy in run/result.json, not {result}")
    expect(pathlib.Path("run/report.html").is_file(), "run/report.html")
    check("keras-adasim knn --backbone=run --data_dir=images --k=3", says="top-1")
    check_python("its SavedModel in plain TensorFlow", PLAIN_TENSORFLOW, "run/saved_model")
    if "--short" not in sys.argv:
        check_the_rest()
    print(f"  Python {VERSION}: all as expected", flush=True)


def check_the_rest():
    """Other commands, `pretrain` as a function, and what is refused."""
    check("keras-adasim", says="pretrain")
    check("keras-adasim pretrain --help", says="--data_dir")
    check("keras-adasim embed --backbone=run --data_dir=images/test --out=features.npz")
    check("keras-adasim export --backbone=run --out=exported")
    check_python("keras_adasim.pretrain", FROM_PYTHON)
    exports = ("from_python/saved_model", "exported")
    check_python("exports in plain TensorFlow", PLAIN_TENSORFLOW, *exports)
    check_python("features", EMBEDDED)
    check("keras-adasim pretrain --epoch=3", status=2, says="epoch")
    check("keras-adasim pretrain --data_dir=nowhere --out=run2", status=2, says="nowhere")
    check("keras-adasim pretrian", status=2, says="pretrain")


def check(command, says="", status=0):
    """Runs a command; `says` must be in what it prints, in one line if it is an error."""
    _, *arguments = command.split()
    done = run(command, [COMMAND, *arguments])
    expect(done.returncode == status, f"exit status {status}", done)
    output = done.stdout if status == 0 else done.stderr
    expect(says in output, f"{says!r} in the output", done)
    if status:
        expect(output.count("\n") == 1 and not done.stdout, "one line on standard error", done)


def check_python(title, script, *arguments):
    """Runs a script that must end well."""
    done = run(title, [sys.executable, "-c", script, *arguments])
    expect(done.returncode == 0, "no error", done)


def run(title, command):
    """Runs a command with all output kept; prints its title and seconds, in one line."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    print(f"  Python {VERSION}: {title}  {seconds:.0f} s", flush=True)
    return done


def expect(condition, what, done=None):
    """Ends with what was expected, and all that was printed."""
    if not condition:
        printed = f"\n{done.stdout}\n{done.stderr}\nexit status {done.returncode}" if done else ""
        sys.exit(f"  Expected {what}.{printed}")


if __name__ == "__main__":
    main()
