"""Any cell of objective x pairing x backbone on CIFAR-10, with lightly's benchmark settings.

Benchmark: lightly's CIFAR-10 benchmark, whose published k-NN accuracies for plain self-distillation
with ResNet-18, batch 128 and 200 epochs are DINO .840, BYOL .869, SimSiam .819, NNCLR .834 and
SimCLR .847. Settings as there: SGD of 0.06 with momentum 0.9 and weight decay 5e-4, cosine without
warm-up, k-NN of 200 neighbors at temperature 0.1, heads as in its `cifar10_benchmark.py`. What
differs: the objectives are the papers' (NNCLR contrasts with the predictions alone, SimSiam's last
normalization has no scale), DINO's and SimCLR's normalizations see both views together, and the
window, which lightly has none of, has 20 epochs and a sampling temperature of 0.01.

`--objective`, `--pairing` and `--backbone` take several names, separated by commas; all other flags
are those of `keras-adasim pretrain`. Every cell is a run of its own in runs/, and a row of a table
when it is finished. A cell whose row is there, with the same command, isn't run again, and a broken
one is continued.

Hardware: one GPU. Time: not measured with this code; on a CPU use --limit, --epochs and --window.
Expected: about the figures above for --pairing=self; benchmarks/grid.md has what was measured.

    python benchmarks/grid.py --data_dir=cifar10 --objective=dino,byol \
        --pairing=self,nearest,adasim,oracle --backbone=resnet18_cifar
"""

import hashlib
import itertools
import os
import platform

import keras
import tensorflow as tf
from absl import flags

from keras_adasim import backbones
from keras_adasim.commands import pretrain_flags
from keras_adasim.commands.running import run
from keras_adasim.files import expand
from keras_adasim.pretraining import pretrain
from keras_adasim.pretraining.general_settings import MACHINE
from keras_adasim.pretraining.images import open_sources
from keras_adasim.pretraining.settings import (
    SETTINGS,
    applicable,
    closest,
    objectives_by_name,
)

AXES = ("objective", "pairing", "backbone")
COLUMNS = (*AXES, "images", "epochs", "window", "seed")
COLUMNS += ("k-NN raw pixels", "k-NN untrained", "k-NN", "gate open", "images/s", "hardware")
COLUMNS += ("command",)
DEFAULTS = {
    "backbone": "resnet18_cifar",
    "image_size": 32,
    "patch_size": 4,
    "window_size": 4,
    "batch_size": 128,
    "epochs": 200,
    "window": 20,
    "sampling_temperature": 0.01,
    "optimizer": "sgd",
    # The setting is per 256 images, lightly's 0.06 per 128.
    "learning_rate": 0.12,
    "final_learning_rate": 0.0,
    "warmup_epochs": 0,
    "weight_decay": 5e-4,
    "final_weight_decay": 5e-4,
    "clipnorm": 0.0,
    "momentum": 0.99,
    "final_momentum": 0.99,
    "drop_path_rate": 0.0,
    "policy": "symmetric",
    "exclude": ("blur",),
    "global_scale": (0.08, 1.0),
    "knn_k": 200,
    "knn_temperature": 0.1,
    "knn_images": 50_000,
}
# What lightly's benchmark sets otherwise for one objective; one without an entry has its own
# defaults.
PER_OBJECTIVE = {
    "dino": {
        "out_dim": 2048,
        "num_layers": 2,
        "use_bn": True,
        "policy": "dino",
        "global_scale": (0.4, 1.0),
    },
    "esvit": {
        "out_dim": 2048,
        "num_layers": 2,
        "policy": "dino",
        "global_scale": (0.4, 1.0),
    },
    "byol": {
        "hidden_dim": 1024,
        "policy": "dino",
        # lightly's loss is a quarter of the paper's: the same steps need a quarter of the rate,
        # and four times the decay.
        "learning_rate": 0.03,
        "weight_decay": 2e-3,
        "final_weight_decay": 2e-3,
    },
    "simsiam": {"num_layers": 2, "predictor_learning_rate": None},
    # lightly has no MoCo-v3; these are the paper's for ResNets, with BYOL's widths.
    "moco_v3": {
        "hidden_dim": 1024,
        "num_layers": 2,
        "predictor_last_norm": "none",
        "temperature": 1.0,
        "policy": "dino",
    },
    "simclr": {"hidden_dim": 512, "temperature": 0.5},
    "nnclr": {"num_layers": 2, "queue_size": 4096, "temperature": 0.5},
}


def define(values):
    """Defines the flags of a run; the axes take several names, and cells name their folders."""
    pretrain_flags.define(values, DEFAULTS)
    for name in (*AXES, "out", "name", "fresh"):
        delattr(values, name)
    for axis, names in choices().items():
        default = DEFAULTS.get(axis, SETTINGS[axis].default)
        flags.DEFINE_list(axis, default, f"Some of {', '.join(names)}.", flag_values=values)
    text = "Where finished cells are appended."
    flags.DEFINE_string("table", "benchmarks/grid.md", text, flag_values=values)


def choices():
    """Dict of each axis to the names on it."""
    names = (objectives_by_name(), SETTINGS["pairing"].choices, backbones.PRESETS)
    return dict(zip(AXES, map(list, names), strict=True))


def start(values):
    """Runs the cells that the table lacks, one after the other."""
    cells = list(cells_of(values))
    _, images, test_images = pretrain_flags.images_of(values)
    channels = pretrain_flags.settings_of(values).get("channels", 3)
    # Decoded by each cell, but looked at before any of them: a cell's result is an accuracy.
    sources = open_sources(images, test_images, channels=channels, limit=0, seed=0)
    for source in sources:
        if source is not None:
            source.checked_labels()
    table = expand(values.table)
    for axes, given in cells:
        command = command_of(axes, given)
        name = name_of(axes, given, command)
        if table.exists() and f"`{command}`" in table.read_text():
            print(f"{name} is in {table}")
            continue
        result = run_cell(sources, expand(values.runs_dir or "runs") / name, axes, given, values)
        if result is not None:
            append(table, {**axes, **measured(result), "command": f"`{command}`"})


def cells_of(values):
    """Yields the cells that flags ask for, and those of the flags that a cell has.

    Yields:
        Tuple of a dict of its axes, and a dict of its settings.

    Raises:
        ValueError: If a name isn't on its axis, or a flag is one of no cell.
    """
    axes = [checked(axis, values[axis].value, names) for axis, names in choices().items()]
    given = pretrain_flags.settings_of(values)
    given = {name: value for name, value in given.items() if name not in AXES}
    unused = set(given)
    for names in itertools.product(*axes):
        cell = dict(zip(AXES, names, strict=True))
        optimizer = {**defaults_of(cell), **given}["optimizer"]
        own = {name: given[name] for name in given if name in applicable((*names, optimizer))}
        unused -= set(own)
        yield cell, own
    if unused:
        name = min(unused)
        raise ValueError(
            f"Expected no `{name}`, a setting of {', '.join(SETTINGS[name].owners)}. Received: "
            "cells that have no such setting. Leave it out."
        )


def checked(axis, names, known):
    """Returns the entries of a list flag."""
    for name in names:
        if name not in known:
            raise ValueError(
                f"Expected `{axis}` out of {', '.join(known)}. "
                f"Received: {axis}={name}.{closest(name, known)}"
            )
    if not names:
        raise ValueError(f"Expected `{axis}` out of {', '.join(known)}. Received: {axis}=")
    return names


def defaults_of(axes):
    """The benchmark's settings of a cell."""
    return {**DEFAULTS, **PER_OBJECTIVE.get(axes["objective"], {}), **axes}


def command_of(axes, given):
    """What runs a cell again: its axes, and the flags given that decide its result."""
    words = [f"--{name}={value}" for name, value in axes.items()]
    for name in sorted(given):
        if SETTINGS[name].role != MACHINE:
            words.append(f"--{name}={pretrain_flags.shown(given[name])}")
    return " ".join(["python benchmarks/grid.py --data_dir=cifar10", *words])


def name_of(axes, given, command):
    """A run's own name; other flags, another name."""
    digest = hashlib.sha256(command.encode()).hexdigest()[:8]
    return "_".join(["grid", *axes.values(), str(given.get("seed", 0)), digest])


def run_cell(sources, out, axes, given, values):
    """Trains a cell, or prints its plan; returns its result, or None."""
    train, test = sources
    result = pretrain(
        train,
        out,
        test_data=test,
        defaults=defaults_of(axes),
        dry_run=values.dry_run,
        **given,
    )
    keras.backend.clear_session()
    return result


def measured(result):
    """The columns that a run fills."""
    settings = result["provenance"]["settings"]
    gate, rate = result.get("gate_open"), result["images_per_second"]
    return {
        "images": result["provenance"]["images"],
        "epochs": result["epochs"],
        "window": settings["window"],
        "seed": settings["seed"],
        "k-NN raw pixels": f"{result['knn_raw_pixels']:.3f}",
        "k-NN untrained": f"{result['knn_before']:.3f}",
        "k-NN": f"{result['knn_after']:.3f}",
        "gate open": "-" if gate is None else f"{gate:.1%}",
        "images/s": "-" if rate is None else f"{rate:.0f}",
        "hardware": hardware(),
    }


def hardware():
    """Name of the first GPU, or the processor's kind and its cores."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"


def append(table, row):
    """Adds a row to a Markdown table, with its head if the file is new."""
    table.parent.mkdir(parents=True, exist_ok=True)
    if not table.exists():
        head = "| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|\n"
        table.write_text("# CIFAR-10: objective x pairing x backbone\n\n" + head)
    with table.open("a") as file:
        file.write("| " + " | ".join(str(row[name]) for name in COLUMNS) + " |\n")


def main(argv=None):
    """Reads the flags and runs the cells."""
    run("grid.py", __doc__, define, start, argv)


if __name__ == "__main__":
    main()
