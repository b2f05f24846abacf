"""Any cell of objective x pairing x backbone on CIFAR-10, with lightly's benchmark settings.

Benchmark: lightly's CIFAR-10 benchmark, whose published k-NN accuracies for plain self-distillation
with ResNet-18, batch 128 and 200 epochs are DINO .840, BYOL .869, SimSiam .819, NNCLR .834 and
SimCLR .847. Settings as there: SGD of 0.06 with momentum 0.9 and weight decay 5e-4, cosine without
warm-up, k-NN of 200 neighbours at temperature 0.1, heads as in its `cifar10_benchmark.py`.

Every cell is a run of its own in runs/, appended as a row to a table when it is finished; a cell
that has its row isn't run again, and a broken one is continued.

Hardware: one GPU. Time: not measured with this code; on a CPU use --limit, --epochs and --window.
Expected: the figures above for --pairings=self.

    python recipes/cifar10_grid.py --data_dir=cifar10 --objectives=dino,byol \
        --pairings=self,nearest,adasim,oracle --backbones=resnet18_cifar
"""

import functools
import importlib
import itertools
import operator
import pathlib
import platform

import keras
import networks
import runner
import tensorflow as tf
from absl import flags
from settings import SETTINGS

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


def find_methods():
    """The methods of all recipes, by name."""
    here = pathlib.Path(__file__)
    modules = [
        importlib.import_module(p.stem) for p in sorted(here.parent.glob("*.py")) if p != here
    ]
    methods = [module.METHOD for module in modules if hasattr(module, "METHOD")]
    return {method.name: method for method in methods if method.cifar10}


def all_settings(methods):
    """Every recipe's settings and those of all methods."""
    own = [method.settings for method in methods.values()]
    return functools.reduce(operator.or_, own, SETTINGS)


def define_flags(methods):
    """The recipes' flags, and which cells."""
    runner.define_flags(all_settings(methods), **DEFAULTS)
    for name, choices in (
        ("objectives", tuple(methods)),
        ("pairings", PAIRINGS),
        ("backbones", BACKBONES),
    ):
        flags.DEFINE_list(name, choices[:1], f"Some of {', '.join(choices)}.")
    flags.DEFINE_string("table", "benchmarks/grid.md", "Where finished cells are appended.")


def main(methods):
    """Runs the cells that the table lacks, one after the other."""
    settings, given = runner.read_flags(all_settings(methods))
    chosen = [
        checked("objectives", tuple(methods)),
        checked("pairings", PAIRINGS),
        checked("backbones", BACKBONES),
    ]
    table = pathlib.Path(flags.FLAGS.table)
    for objective, pairing, backbone in itertools.product(*chosen):
        method = methods[objective]
        cell = {k: v for k, v in method.cifar10.items() if k not in given}
        cell["pairing"] = pairing
        cell["name"] = f"grid_{objective}_{pairing}_{backbone}_{settings['seed']}"
        run_cell(table, method, backbone, {**settings, **cell})


def checked(flag, choices):
    """The entries of a list flag."""
    values = flags.FLAGS[flag].value
    unknown = sorted(set(values) - set(choices))
    if unknown or not values:
        raise ValueError(
            f"Expected --{flag} out of {', '.join(choices)}. Received: {', '.join(unknown)}"
        )
    return values


def run_cell(table, method, backbone, settings):
    """Trains a cell and appends its row, unless it is there."""
    identity = {
        "objective": method.name,
        "pairing": settings["pairing"],
        "backbone": backbone,
        "images": settings["limit"] or "all",
        "epochs": settings["epochs"],
        "window": settings["window"],
        "seed": settings["seed"],
    }
    start = "| " + " | ".join(str(value) for value in identity.values()) + " |"
    if table.exists() and start in table.read_text():
        print(f"{start} is in {table}")
        return
    result = runner.pretrain(getattr(networks, backbone), method.objective, **settings)
    if result is not None:
        append(table, {**identity, **measured(result), "command": command_of(identity)})
    keras.backend.clear_session()


def measured(result):
    """The columns that a run fills."""
    gate = result.get("gate_open")
    return {
        "k-NN untrained": f"{result['knn_before']:.3f}",
        "k-NN": f"{result['knn_after']:.3f}",
        "gate open": "-" if gate is None else f"{gate:.1%}",
        "images/s": f"{result['images_per_second']:.0f}",
        "hardware": hardware(),
    }


def hardware():
    """Name of the first GPU, or the processor's kind."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return f"{platform.machine()} CPU"


def command_of(identity):
    """What runs the cell again."""
    limit = "" if identity["images"] == "all" else f" --limit={identity['images']}"
    return (
        f"`python recipes/cifar10_grid.py --data_dir=cifar10 --objectives={identity['objective']} "
        f"--pairings={identity['pairing']} --backbones={identity['backbone']} "
        f"--epochs={identity['epochs']} --window={identity['window']} --seed={identity['seed']}"
        f"{limit}`"
    )


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
