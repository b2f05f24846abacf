"""Runs that are killed, and the same call again: is anything lost, or different?

    python -m benchmarks.fault_campaign --kills=20 --on=1,2,workers

A small run of `keras_adasim.pretrain` is killed by `kill -9`, at random moments and at each of its
file operations in turn, and called again until it is finished. What it then holds is compared bit
by bit with a run that nobody disturbed: the checkpoint's arrays, the log (but for the times) and
the result. Of two workers one is killed, and the other must end by itself. Each run is a fork of
one process that has imported TensorFlow, and on one device trains without graphs; on several each
traces its own, which takes most of its time.
"""

import contextlib
import csv
import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback

import numpy as np
from absl import app, flags

KILLS = flags.DEFINE_integer("kills", 20, "Kills of each kind on each of --on.")
ON = flags.DEFINE_list("on", ["1"], "Out of: 1 and 2 logical devices, workers (two processes).")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the moments.")
PATIENCE = flags.DEFINE_integer("patience", 300, "Seconds after which a run hangs.")

PLACES = {"1": "one device", "2": "two devices", "workers": "two workers"}
EPOCHS = 4
# Whatever changes a file or a folder goes through one of these, or through `open`.
OPERATIONS = ("replace", "rename", "link", "unlink", "rmdir", "mkdir", "fsync", "utime")
TIMES = ("images_per_second",)
NOTICE = 60  # Seconds in which a worker notices that the other is gone.
LOST = 3  # Its status then.


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


def train(out, on, kill_at=0):
    """The run; kills itself at its `kill_at`-th file operation. Returns the number of those."""
    import tensorflow as tf

    import keras_adasim as ka
    from keras_adasim.pretraining.devices import make_strategy

    tf.config.run_functions_eagerly(on == "1")
    # Devices are split, and workers found, before there is a model.
    devices, strategy = (1, "multiworker") if on == "workers" else (int(on), "mirrored")
    make_strategy(devices, strategy)
    count = count_operations(kill_at)
    ka.pretrain(
        np.random.default_rng(0).integers(0, 256, (32, 12, 12, 3), "uint8"),
        out,
        small_backbone(),
        augment=crops_only(),
        devices=devices,
        strategy=strategy,
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


def count_operations(kill_at):
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


def start(out, on, kill_at=0):
    """Forks the processes of a run, whose output goes to files; returns their numbers.

    Of workers it is the first that kills itself: it writes the files.
    """
    sys.stdout.flush()
    if on != "workers":
        return [fork(out, on, kill_at)]
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    pids = []
    for place in range(2):
        task = {"type": "worker", "index": place}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
        pids.append(fork(out, on, 0 if place else kill_at, f"-{place}" if place else ""))
    del os.environ["TF_CONFIG"]
    return pids


def fork(out, on, kill_at, suffix=""):
    """Forks one process of a run; returns its number."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        file = os.open(f"{out}.output{suffix}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        operations = train(out, on, kill_at)
        pathlib.Path(f"{out}.operations{suffix}").write_text(str(operations))
        sys.stdout.flush()
        status = 0
    except BaseException as error:
        status = LOST if type(error).__name__ == "WorkerLostError" else 1
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def wait(pids, seconds):
    """Returns the statuses of processes, or None if one runs on after so many seconds."""
    end, statuses = time.monotonic() + seconds, {}
    while time.monotonic() < end:
        for pid in set(pids) - set(statuses):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                statuses[pid] = os.waitstatus_to_exitcode(status)
        if len(statuses) == len(pids):
            return [statuses[pid] for pid in pids]
        time.sleep(0.01)
    return None


def kill(pids):
    """Kills processes, those that have ended left aside, and waits for them."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


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
    left_out = (*TIMES, "memory", "provenance", "saved_model")
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


def see_others_end(out, pids, tally):
    """Counts the workers that don't end by themselves when one is killed, or not as they should."""
    statuses = wait(pids, NOTICE)
    if statuses is None:
        tally.hangs += 1
        kill(pids)
    elif not set(statuses) <= {0, LOST}:
        tally.failures += 1
        show(out)


def finish_after_kill(out, on, whole, tally):
    """Calls a killed run again, and compares."""
    shown, kept = told_epochs(out), finished_epochs(out)
    tally.lost_epochs += max(0, shown - kept)
    pids = start(out, on)
    statuses = wait(pids, PATIENCE.value)
    if statuses is None:
        kill(pids)
        tally.hangs += 1
    elif any(statuses):
        tally.failures += 1
        show(out)
    elif different := differences(outcome(out), whole):
        tally.unequal += 1
        print("different:", ", ".join(different[:5]))


def show(out):
    """Prints the end of what the processes of a run printed."""
    for path in sorted(out.parent.glob(f"{out.name}.output*")):
        print(path.name, path.read_text()[-1500:], sep="\n", flush=True)


def campaign(folder, on):
    """Yields the kind of the kills and their `Tally`."""
    whole_out = folder / "whole"
    begin = time.monotonic()
    if any(wait(start(whole_out, on), PATIENCE.value) or [1]):
        show(whole_out)
        raise SystemExit("the undisturbed run failed")
    seconds = time.monotonic() - begin
    whole = outcome(whole_out)
    operations = int(pathlib.Path(f"{whole_out}.operations").read_text())
    rng = random.Random(SEED.value)
    moments, tally = Tally(), Tally()
    for number in range(KILLS.value):
        out = folder / f"moment-{number}"
        begin, pids = time.monotonic(), start(out, on)
        while wait(pids, rng.uniform(0.2, 1.0) * seconds) is not None:
            # Quicker than the one before, and done by then.
            seconds = min(seconds, time.monotonic() - begin)
            tidy(out)
            begin, pids = time.monotonic(), start(out, on)
        victim = rng.choice(pids)
        kill([victim])
        moments.kills += 1
        see_others_end(out, [pid for pid in pids if pid != victim], moments)
        finish_after_kill(out, on, whole, moments)
        tidy(out)
    yield "at a random moment", moments
    for place in sorted(rng.sample(range(1, operations + 1), min(KILLS.value, operations))):
        out = folder / f"operation-{place}"
        first, *others = start(out, on, place)
        if wait([first], PATIENCE.value) == [-signal.SIGKILL]:
            tally.kills += 1
        see_others_end(out, others, tally)
        finish_after_kill(out, on, whole, tally)
        tidy(out)
    yield f"at one of {operations} file operations", tally


def tidy(out):
    """Removes a run that has been looked at."""
    for path in out.parent.glob(f"{out.name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main(_):
    """Prints the table."""
    import keras_adasim  # noqa: F401 - once, for all forks

    names = [field.name for field in dataclasses.fields(Tally)]
    if wrong := set(ON.value) - set(PLACES):
        raise SystemExit(f"Expected `--on` out of 1, 2 and workers. Received: {wrong.pop()}")
    rows = []
    for on in ON.value:
        with tempfile.TemporaryDirectory() as folder:
            for kind, tally in campaign(pathlib.Path(folder), on):
                rows.append([PLACES[on], kind, *map(str, dataclasses.astuple(tally))])
                print(*rows[-1], sep="  ", flush=True)
    header = ["on", "killed", *(name.replace("_", " ") for name in names)]
    print()
    for row in (header, ["---"] * len(header), *rows):
        print("|", " | ".join(row), "|")
    bad = [value for row in rows for value in row[3:] if value != "0"]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    app.run(main)
