"""Runs what README.md shows, in an empty folder with tiny data: `python readme.py`.

Every ```python block runs, in order and in one namespace, and so does every command. What would
take minutes or data is made shorter, or passed over, by the rules below; both are printed.
"""

import multiprocessing
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time
import traceback

from images import make_images

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAMS = ("make", "python", "keras-adasim", "pip", "git")
SHELLS = ("", "bash", "console", "sh")
# Our commands run in forks of one process that has imported the package; nothing else is shared.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["keras_adasim.commands.console", "keras_adasim.pretraining.pretrain"])

# What README.md takes for granted.
PROLOGUE = """
import keras_adasim
import keras_adasim as ka
import keras, numpy as np, tensorflow as tf
images = np.zeros((4, 40, 48, 3), "uint8")
"""

# Pattern of a command or block that isn't run, and why. The first that is found in it counts.
PASSED_OVER = (
    (r"^make test", "the first step runs it"),
    (r"^(pip|git) ", "the second step installs the package"),
    (
        r"^python (-m benchmarks\.|benchmarks/(?!make_datasets))",
        "takes minutes; its figures belong to a quiet machine",
    ),
    (r"\.pth\b", "needs a checkpoint from elsewhere"),
    (r"--weights=(?!runs)", "needs a checkpoint from elsewhere"),
    (r"hub:|dinov2", "downloads weights"),
    (r"--tfds=", "downloads data"),
    (r"--channels=", "needs images of many channels"),
    (r"--format=onnx", "needs the extra [onnx]"),
)

# Pattern and replacement; all are applied, in order.
TINY = "--epochs=2 --image_size=16 --exclude=color_jitter,grayscale,solarize"
SHORTER = (
    (r"^make pretrain$", rf"make pretrain FLAGS='{TINY} --limit=64'"),
    (r"^make pretrain DATA=folder .*", rf"make pretrain DATA=photos FLAGS='{TINY}'"),
    (r"^make ", f"make -C '{ROOT}' "),
    (r"^(keras-adasim (launch .* )?pretrain)", rf"\1 {TINY} --backbone=vit_mini"),
    (r"^(keras-adasim finetune)", r"\1 --epochs=2"),
    (r"\bepochs=\d+", "epochs=2"),
    (r"\* 100\b", "* 2"),
    (r"batch_size=\d+", "batch_size=8"),
    (r"^((?:(?!batch_size).)*) --dry_run", r"\1 --batch_size=8 --dry_run"),
    (r"warmup_steps=\d+", "warmup_steps=1"),
    (r"vit_small\(\)", "vit_mini(image_size=16)"),
    (r"\bDINO\(", "DINO(out_dim=64, "),
    (r"MultiCrop\(224\)", "MultiCrop(16, local_size=8)"),
    (r"image_size=224", "image_size=16"),
    (r"--data_dir=(folder|FOLDER)", "--data_dir=photos"),
    (r"\bruns/others\b", "runs/photos"),
    (r"\bruns/NAME\b", "runs/pretrain_photographs"),  # Of `make pretrain`.
    (r"\bepoch-\d+", "epoch-2"),
    (r"--k=\d+", "--k=3"),
    (r"--num_to_label=\d+", "--num_to_label=3"),
)


def main():
    """Runs all of README.md in the working directory; returns the exit status."""
    make_data()
    namespace = {"__name__": "readme"}
    exec(PROLOGUE, namespace)
    counts = {"done": 0, "not run": 0, "failed": 0}
    for line, kind, text in blocks((ROOT / "README.md").read_text()):
        print(f"  README.md:{line} {text.splitlines()[0][:70]}", flush=True)
        reason = next((why for pattern, why in PASSED_OVER if re.search(pattern, text)), None)
        if reason:
            outcome = "not run"
            print(f"    not run: {reason}", flush=True)
        else:
            start = time.perf_counter()
            shorter = shortened(text)
            outcome = "done" if run(kind, shorter, line, namespace) else "failed"
            print(f"    {outcome} in {time.perf_counter() - start:.0f} s", flush=True)
        counts[outcome] += 1
    print("  " + ", ".join(f"{number} {what}" for what, number in counts.items()), flush=True)
    return int(counts["failed"] > 0)


def make_data():
    """Folders by the names that README.md uses, and links to those of the repository."""
    make_images("photos", 12)
    for name, test in (("cifar10", "test"), ("imagenet", "val")):
        make_images(f"{name}/train", 12)
        make_images(f"{name}/{test}", 2)
    for name in ("recipes", "evaluation", "benchmarks"):
        pathlib.Path(name).symlink_to(ROOT / name)


def blocks(text):
    """Yields (number of the first line, "python" or "command", text) of what can be run.

    Commands are lines of indented or of fenced blocks without a language or with a shell's, that
    begin with one of `PROGRAMS`; they may go on after a backslash. Other lines are output.
    """
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        first, fence = number, re.match(r"\s*```(\w*)", lines[number])
        number += 1
        if fence and fence[1] not in SHELLS:
            while not lines[number].strip().startswith("```"):
                number += 1
            if fence[1] == "python":
                yield first + 2, "python", "\n".join(lines[first + 1 : number])
            number += 1
        elif is_command(lines, first):
            while lines[number - 1].endswith("\\"):
                number += 1
            joined = " ".join(line.strip().rstrip("\\") for line in lines[first:number])
            yield first + 1, "command", re.sub(r"\s+# .*", "", joined)


def is_command(lines, number):
    """Whether a line lies in an indented or fenced block and begins with a program."""
    fences = [line.strip() for line in lines[:number] if line.strip().startswith("```")]
    in_fence = len(fences) % 2 == 1
    line = lines[number].strip().removeprefix("$ ")
    return (in_fence or lines[number].startswith("    ")) and line.split(" ")[0] in PROGRAMS


def shortened(text):
    """The same in less time, and with the tiny data; what was changed is printed."""
    shorter = text
    for pattern, replacement in SHORTER:
        shorter = re.sub(pattern, replacement, shorter, flags=re.MULTILINE)
    for before, after in zip(text.splitlines(), shorter.splitlines(), strict=True):
        if before != after:
            print(f"    as: {after.strip()}", flush=True)
    return shorter


def run(kind, text, line, namespace):
    """Runs a block or command; returns whether it worked, and shows how it failed."""
    if kind == "command":
        return run_command(text)
    try:
        # Padded, so that a traceback tells README's lines.
        exec(compile("\n" * (line - 1) + text, "README.md", "exec"), namespace)
    except Exception:
        traceback.print_exc()
        return False
    return True


def run_command(command):
    """Runs a command in this environment; returns whether it worked, and shows how it failed."""
    output = pathlib.Path("output.txt")
    program, *words = shlex.split(command)
    if program == "keras-adasim" and words[0] != "launch":
        process = FORKS.Process(target=call, args=(words, output))
        process.start()
        process.join()
        status = process.exitcode
    else:
        path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PWD": os.getcwd()}
        with output.open("w") as file:
            kwargs = {"env": environment, "stdout": file, "stderr": subprocess.STDOUT}
            status = subprocess.run(command, shell=True, **kwargs).returncode
    if status:
        print(f"{output.read_text()}\nexit status {status}")
    return not status


def call(words, output):
    """Calls `keras-adasim` with these words; what it prints goes to a file."""
    from keras_adasim.commands import console

    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["keras-adasim", *words]
    console.main(words)


if __name__ == "__main__":
    sys.exit(main())
