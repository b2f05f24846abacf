"""Any cell of objective x pairing x backbone on CIFAR-10, with lightly's benchmark settings.

Benchmark: lightly's CIFAR-10 benchmark, whose published k-NN accuracies for plain self-distillation
with ResNet-18, batch 128 and 200 epochs are DINO .840, BYOL .869, SimSiam .819, NNCLR .834 and
SimCLR .847. Settings as there: SGD of 0.06 with momentum 0.9 and weight decay 5e-4, cosine without
warm-up, k-NN of 200 neighbours at temperature 0.1, heads as in its `cifar10_benchmark.py`. What
differs: the objectives are the papers' (NNCLR contrasts with the predictions alone, SimSiam's last
normalisation has no scale), DINO's and SimCLR's normalisations see both views together, and the
window, which lightly has none of, has 20 epochs and a sampling temperature of 0.01.

Every cell is a run of its own in runs/, appended as a row to a table when it is finished. A cell
whose row is there, with the same command, isn't run again, and a broken one is continued.

Hardware: one GPU. Time: not measured with this code; on a CPU use --limit, --epochs and --window.
Expected: about the figures above for --pairings=self; benchmarks/grid.md has what was measured.

    python recipes/cifar10_grid.py --data_dir=cifar10 --objectives=dino,byol \
        --pairings=self,nearest,adasim,oracle --backbones=resnet18_cifar
"""

import functools
import hashlib
import importlib
import itertools
import operator
import os
import pathlib
import platform

import building
import keras
import networks
import runner
import tensorflow as tf
from absl import flags
from settings import SETTINGS, pick

from keras_adasim import command

BACKBONES = ("resnet18_cifar", "vit_tiny", "swin_tiny")
PAIRINGS = ("self", "nearest", "adasim", "oracle")
COLUMNS = (
    "objective",
    "pairing",
    "backbone",
    "images",
    "epochs",
    "window",
    "seed",
    "k-NN raw pixels",
    "k-NN untrained",
    "k-NN",
    "gate open",
    "images/s",
    "hardware",
    "command",
)
DEFAULTS = {
    "image_size": 32,
    "patch_size": 4,
    "attention_window": 4,
    "batch_size": 128,
    "epochs": 200,
    "window": 20,
    "sampling_temperature": 0.01,
    "optimizer": "sgd",
    # The flag is per 256 images, lightly's 0.06 per 128.
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
    "leave_out": ("blur",),
    "global_scale": (0.08, 1.0),
    "knn_k": 200,
    "knn_temperature": 0.1,
    "knn_images": 50_000,
}
# Where a run takes its images from and leaves its files changes no result.
PLACES = ("data_dir", "tfds", "tfds_dir", "runs_dir", "name", "in_memory", "pairing")


def find_methods():
    """The methods of all recipes, by name."""
    here = pathlib.Path(__file__)
    files = [file for file in sorted(here.parent.glob("*.py")) if file != here]
    modules = [importlib.import_module(file.stem) for file in files]
    methods = [module.METHOD for module in modules if hasattr(module, "METHOD")]
    return {method.name: method for method in methods if method.cifar10}


def all_settings(methods):
    """Every recipe's settings and those of all methods."""
    own = [method.settings for method in methods.values()]
    return functools.reduce(operator.or_, own, SETTINGS)


def define_flags(methods):
    """The recipes' flags, and which cells."""
    runner.define_flags(all_settings(methods), **DEFAULTS)
    for name, choices in choices_of(methods).items():
        flags.DEFINE_list(name, choices[:1], f"Some of {', '.join(choices)}.")
    flags.DEFINE_string("table", "benchmarks/grid.md", "Where finished cells are appended.")


def choices_of(methods):
    """What each of the three axes can be."""
    return {
        "objectives": list(methods),
        "pairings": list(PAIRINGS),
        "backbones": list(BACKBONES),
    }


def main(methods):
    """Runs the cells that the table lacks, one after the other."""
    settings, given = runner.read_flags(all_settings(methods))
    axes = [checked(name, choices) for name, choices in choices_of(methods).items()]
    runner.make_strategy(settings["devices"])  # Before the images are read.
    sources = building.load_sources(**pick(building.load_sources, settings))
    if sources[0].labels is None:
        raise ValueError(
            "Expected --data_dir with one folder per class: a cell's result is the k-NN accuracy. "
            f"Received: --data_dir={settings['data_dir']}, without labels"
        )
    table = pathlib.Path(flags.FLAGS.table)
    for objective, pairing, backbone in itertools.product(*axes):
        method = methods[objective]
        own = {k: v for k, v in method.cifar10.items() if k not in given}
        cell = {**settings, **own, "pairing": pairing}
        line = command_of(objective, pairing, backbone, {n: settings[n] for n in given})
        cell["name"] = name_of(objective, pairing, backbone, settings["seed"], line)
        run_cell(table, method, backbone, line, sources, cell)


def checked(flag, choices):
    """The entries of a list flag."""
    values = flags.FLAGS[flag].value
    unknown = sorted(set(values) - set(choices))
    if unknown or not values:
        raise ValueError(
            f"Expected --{flag} out of {', '.join(choices)}. "
            f"Received: --{flag}={','.join(unknown or values)}"
        )
    return values


def command_of(objective, pairing, backbone, given):
    """What runs the cell again: the flags given, less those that change no result."""
    words = [
        "python recipes/cifar10_grid.py --data_dir=cifar10",
        f"--objectives={objective} --pairings={pairing} --backbones={backbone}",
    ]
    for name in sorted(set(given) - set(PLACES)):
        value = given[name]
        value = ",".join(map(str, value)) if isinstance(value, tuple) else value
        words.append(f"--{name}={value}")
    return " ".join(words)


def name_of(objective, pairing, backbone, seed, line):
    """A run's own name; other flags, another name."""
    digest = hashlib.sha256(line.encode()).hexdigest()[:8]
    return f"grid_{objective}_{pairing}_{backbone}_{seed}_{digest}"


def run_cell(table, method, backbone, line, sources, settings):
    """Trains a cell and appends its row, unless it is there."""
    if table.exists() and f"`{line}`" in table.read_text():
        print(f"{settings['name']} is in {table}")
        return
    result = runner.pretrain(
        getattr(networks, backbone), method.objective, sources=sources, **settings
    )
    if result is not None:
        cell = {
            "objective": method.name,
            "pairing": settings["pairing"],
            "backbone": backbone,
            "images": len(sources[0]),
            "epochs": settings["epochs"],
            "window": settings["window"],
            "seed": settings["seed"],
        }
        append(table, {**cell, **measured(result), "command": f"`{line}`"})
    keras.backend.clear_session()


def measured(result):
    """The columns that a run fills."""
    gate, rate = result.get("gate_open"), result["images_per_second"]
    return {
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


if __name__ == "__main__":
    found = find_methods()
    define_flags(found)
    command.run(lambda: main(found))
