"""Runs that are killed, and the same call again: is anything lost, or different?

    python -m benchmarks.fault_campaign --kills=20

A small run of `keras_adasim.pretrain` is killed by `kill -9`, at random moments and at each of its
file operations in turn, and called again until it is finished. What it then holds is compared bit
by bit with a run that nobody disturbed: the checkpoint's arrays, the log (but for the times) and
the result. Each run is a fork of one process that has imported TensorFlow, and on one device trains
without graphs; on several each traces its own, which takes most of its time.
"""

import csv
import dataclasses
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

import numpy as np
from absl import app, flags

KILLS = flags.DEFINE_integer("kills", 20, "Kills of each kind on each number of devices.")
DEVICES = flags.DEFINE_list("devices", ["1"], "Numbers of logical devices.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the moments.")
PATIENCE = flags.DEFINE_integer("patience", 300, "Seconds after which a run hangs.")

EPOCHS = 4
# Whatever changes a file or a folder goes through one of these, or through `open`.
OPERATIONS = ("replace", "rename", "link", "unlink", "rmdir", "mkdir", "fsync", "utime")
TIMES = ("images_per_second",)


@dataclasses.dataclass
class Tally:
    """What has come of the kills of one kind."""

    kills: int = 0
    lost_epochs: int = 0
    unequal: int = 0
    failures: int = 0
    hangs: int = 0


def crops_only():
    """An augmentation of few operations."""
    from keras_adasim.augment import DINOAugment, MultiCrop

    return DINOAugment(MultiCrop(8), first=[], second=[], local=[])


def small_backbone():
    """One convolution, and dropout, whose seed is a part of the state."""
    import keras

    keras.utils.set_random_seed(3)
    images = keras.Input((None, None, 3))
    tokens = keras.layers.Reshape((-1, 8))(keras.layers.Conv2D(8, 4, strides=4)(images))
    tokens = keras.layers.Dropout(0.2, seed=5)(tokens)
    features = keras.layers.GlobalAveragePooling1D()(tokens)
    return keras.Model(images, {"features": features, "tokens": tokens})


def train(out, devices, kill_at=0):
    """The run; kills itself at its `kill_at`-th file operation. Returns the number of those.

    Devices are split before TensorFlow runs anything, so parts of one's own are for one device.
    """
    import tensorflow as tf

    import keras_adasim as ka

    tf.config.run_functions_eagerly(devices == 1)
    count = count_operations(out, kill_at)
    ka.pretrain(
        np.random.default_rng(0).integers(0, 256, (32, 12, 12, 3), "uint8"),
        out,
        "vit_mini" if devices > 1 else small_backbone(),
        augment=None if devices > 1 else crops_only(),
        devices=devices,
        image_size=8,
        **({"patch_size": 4} if devices > 1 else {}),
        epochs=EPOCHS,
        batch_size=8,
        checkpoint_steps=2,
        window=2,
        topk=4,
        warmup_epochs=1,
        hidden_dim=8,
        bottleneck_dim=4,
        num_layers=1,
        out_dim=16,
        xla="no",
        precision="float32",
    )
    return count()


def count_operations(out, kill_at):
    """Counts operations on files; returns a function that tells how many there were."""
    done = [0]

    def counted(function):
        def call(*arguments, **keywords):
            done[0] += 1
            if done[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)

        return call

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))
    path_open = pathlib.Path.open
    pathlib.Path.open = lambda path, mode="r", *arguments, **keywords: (
        path_open if mode.startswith("r") else counted(path_open)
    )(path, mode, *arguments, **keywords)
    return lambda: done[0]


def start(out, devices, kill_at=0):
    """Forks a run, whose output goes to a file; returns its process's number."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        file = os.open(f"{out}.output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        operations = train(out, devices, kill_at)
        pathlib.Path(f"{out}.operations").write_text(str(operations))
        sys.stdout.flush()
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def wait(pid, seconds):
    """Returns the status of a process, or None if it runs on after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def finished_epochs(out):
    """Epochs in the newest checkpoint."""
    from keras_adasim.checkpoints import CheckpointFolder

    newest = CheckpointFolder(out / "checkpoints").newest()
    return newest.place[0] if newest else 0


def told_epochs(out):
    """Epochs whose line was printed: those are finished for whoever looks at the screen."""
    lines = pathlib.Path(f"{out}.output").read_text().splitlines()
    return max((int(line.split("/")[0][6:]) for line in lines if " took " in line), default=0)


def outcome(out):
    """All that a run leaves and that must be equal: arrays, log, result."""
    from keras_adasim.checkpoints import CheckpointFolder

    checkpoint = CheckpointFolder(out / "checkpoints").newest()
    arrays = {}
    for group in checkpoint.groups():
        arrays |= {f"{group} {name}": array for name, array in checkpoint.group(group)}
    for path in checkpoint.path.glob("window-*.npy"):
        arrays[path.name] = np.load(path)
    with (out / "log.csv").open() as file:
        log = [{n: v for n, v in row.items() if n not in TIMES} for row in csv.DictReader(file)]
    result = json.loads((out / "result.json").read_text())
    left_out = (*TIMES, "provenance", "saved_model")
    return arrays, log, {name: value for name, value in result.items() if name not in left_out}


def differences(first, second):
    """Names of what differs between two outcomes."""
    names = sorted(set(first[0]) | set(second[0]))
    found = [
        name
        for name in names
        if name not in first[0]
        or name not in second[0]
        or first[0][name].tobytes() != second[0][name].tobytes()
    ]
    return found + [name for name, i in (("log", 1), ("result", 2)) if first[i] != second[i]]


def finish_after_kill(out, devices, whole, tally):
    """Calls a killed run again, and compares."""
    shown, kept = told_epochs(out), finished_epochs(out)
    tally.lost_epochs += max(0, shown - kept)
    pid = start(out, devices)
    status = wait(pid, PATIENCE.value)
    if status is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        tally.hangs += 1
    elif status:
        tally.failures += 1
        print(pathlib.Path(f"{out}.output").read_text()[-1500:])
    elif different := differences(outcome(out), whole):
        tally.unequal += 1
        print("different:", ", ".join(different[:5]))


def campaign(folder, devices):
    """Yields the kind of the kills and their `Tally`."""
    whole_out = folder / "whole"
    begin = time.monotonic()
    if wait(start(whole_out, devices), PATIENCE.value) != 0:
        output = pathlib.Path(f"{whole_out}.output").read_text()
        raise SystemExit(f"the undisturbed run failed: {output[-2000:]}")
    seconds = time.monotonic() - begin
    whole = outcome(whole_out)
    operations = int(pathlib.Path(f"{whole_out}.operations").read_text())
    rng = random.Random(SEED.value)
    moments, tally = Tally(), Tally()
    for number in range(KILLS.value):
        out = folder / f"moment-{number}"
        pid = start(out, devices)
        if wait(pid, rng.uniform(0.2, 1.0) * seconds) is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            moments.kills += 1
        finish_after_kill(out, devices, whole, moments)
    yield "at a random moment", moments
    for place in sorted(rng.sample(range(1, operations + 1), min(KILLS.value, operations))):
        out = folder / f"operation-{place}"
        if wait(start(out, devices, place), PATIENCE.value) == -signal.SIGKILL:
            tally.kills += 1
        finish_after_kill(out, devices, whole, tally)
    yield f"at one of {operations} file operations", tally


def main(_):
    """Prints the table."""
    import keras_adasim  # noqa: F401 - once, for all forks

    names = [field.name for field in dataclasses.fields(Tally)]
    rows = []
    for devices in map(int, DEVICES.value):
        with tempfile.TemporaryDirectory() as folder:
            for kind, tally in campaign(pathlib.Path(folder), devices):
                rows.append([str(devices), kind, *map(str, dataclasses.astuple(tally))])
                print(*rows[-1], sep="  ", flush=True)
    header = ["devices", "killed", *(name.replace("_", " ") for name in names)]
    print()
    for row in (header, ["---"] * len(header), *rows):
        print("|", " | ".join(row), "|")
    bad = [value for row in rows for value in row[3:] if value != "0"]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    app.run(main)
