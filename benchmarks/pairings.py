"""The four pairings side by side: k-NN and gate-open rate per epoch, over several seeds.

    python benchmarks/pairings.py --data_dir=cifar10

Every cell is a run of `recipes/pretrain.py` on a subset of the images, with a window of a quarter
of the epochs, in a folder of its own in runs/; a run that is finished isn't run again, a broken one
is continued. The table goes to benchmarks/pairings.md.
"""

import csv
import pathlib
import platform
import subprocess
import sys

import numpy as np
from absl import app, flags

from keras_adasim.files import expand, write_file

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with train/ and test/.", required=True)
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "Where the runs go.")
IMAGES = flags.DEFINE_integer("images", 2000, "Training images, drawn once.")
EPOCHS = flags.DEFINE_integer("epochs", 40, "Epochs of every run.")
SEEDS = flags.DEFINE_integer("seeds", 3, "Number of seeds, from 0.")
OUTPUT = flags.DEFINE_string("output", "benchmarks/pairings.md", "The table.")

PAIRINGS = ("self", "nearest", "adasim", "oracle")
ROOT = pathlib.Path(__file__).parent.parent


def window():
    """Epochs that vote: a quarter of all."""
    return max(1, EPOCHS.value // 4)


def command(pairing, seed):
    """The command of one cell, without its folder."""
    return [
        "recipes/pretrain.py",
        f"--data_dir={DATA_DIR.value}",
        f"--limit={IMAGES.value}",
        f"--epochs={EPOCHS.value}",
        f"--window={window()}",
        f"--warmup_epochs={EPOCHS.value // 10}",
        "--knn_every=1",
        "--knn_images=2000",
        f"--pairing={pairing}",
        f"--seed={seed}",
    ]


def run(pairing, seed):
    """Runs a cell, and returns its epochs as dictionaries."""
    name = f"pairings_{IMAGES.value}_{EPOCHS.value}_{pairing}_{seed}"
    out = expand(RUNS_DIR.value) / name
    if not (out / "result.json").exists():
        script, *words = command(pairing, seed)
        subprocess.run([sys.executable, ROOT / script, *words, f"--out={out}"], check=True)
    with (out / "log.csv").open() as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def column(runs, name, epoch):
    """Mean and spread of a log over the seeds, in percent."""
    values = [100 * run[epoch][name] for run in runs if name in run[epoch]]
    return f"{np.mean(values):.1f} ± {np.std(values):.1f}" if values else "-"


def table(results):
    """Markdown: a row per epoch, a column per pairing."""
    names = [("knn_top1", pairing) for pairing in PAIRINGS] + [("gate_open", "adasim")]
    titles = [f"k-NN {pairing}" for pairing in PAIRINGS] + ["gate open (adasim)"]
    names += [("partner_is_self", "adasim"), ("partner_purity", "nearest")]
    titles += ["partner is self (adasim)", "partner of the same label (nearest)"]
    lines = ["| epoch | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for epoch in range(EPOCHS.value):
        cells = [column(results[pairing], name, epoch) for name, pairing in names]
        lines.append(f"| {epoch + 1} | " + " | ".join(cells) + " |")
    return lines


def shown(words):
    """A command as others would type it."""
    return " ".join(words).replace(DATA_DIR.value, "cifar10")


def main(_):
    """Runs what isn't there yet and writes the table."""
    results = {pairing: [run(pairing, seed) for seed in range(SEEDS.value)] for pairing in PAIRINGS}
    text = [
        "# The four pairings on a subset of CIFAR-10",
        "",
        f"`python benchmarks/pairings.py --images={IMAGES.value} --epochs={EPOCHS.value} "
        f"--seeds={SEEDS.value} --data_dir=cifar10`",
        "",
        f"{IMAGES.value} training images, {EPOCHS.value} epochs, window of {window()}; "
        f"mean ± standard deviation over {SEEDS.value} seeds, in percent. k-NN (k = 20) of the "
        "teacher, 2,000 training images voting on 2,000 test images. Machine: "
        f"{platform.machine()}, CPU, float32. Each cell is",
        "",
        "    python " + shown(command("PAIRING", "SEED")),
        "",
        *table(results),
        "",
    ]
    write_file(OUTPUT.value, "\n".join(text))


if __name__ == "__main__":
    app.run(main)
