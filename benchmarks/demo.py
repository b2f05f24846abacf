"""The four pairings in the demo, side by side over several seeds, with standard errors.

    python benchmarks/demo.py --seeds=5

Every cell is `make pretrain` with another pairing and seed: `recipes/pretrain.py` without data, in
a folder of its own in runs/. A run that is finished isn't run again, a broken one is continued. The
tables go to benchmarks/demo.md. A run takes three to twelve minutes on two cores, by the machine.
"""

import json
import pathlib
import subprocess
import sys

import numpy as np
from absl import app, flags

from keras_adasim.files import expand, write_file

SEEDS = flags.DEFINE_integer("seeds", 3, "Number of seeds, from 0.", lower_bound=2)
EPOCHS = flags.DEFINE_integer("epochs", None, "Epochs of every run; the demo's own by default.")
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "Where the runs go.")
OUTPUT = flags.DEFINE_string("output", "benchmarks/demo.md", "The tables.")

PAIRINGS = ("self", "nearest", "adasim", "oracle")
ROOT = pathlib.Path(__file__).parent.parent
INTRODUCTION = """\
# The four pairings in the demo

`{command}`

Each run is `make pretrain` with another pairing and seed: {images} patches of photographs, {epochs}
epochs. k-NN is the accuracy with which the others tell a patch's photograph, each patch classified
by all others, in percent: {raw:.1f} of raw pixels, {before} untrained. {machine}.
"""
MEANS = """\
Mean over {seeds} seeds ± its standard error. The difference is that to `self` with the same seed,
so with the same weights at the start, order and crops.
"""
RUNS = """\
Each run; the standard error is that of the patches, sqrt(p (1 - p) / n).
"""


def command(pairing, seed):
    """The command of one cell, without its folder."""
    epochs = [] if EPOCHS.value is None else [f"--epochs={EPOCHS.value}"]
    return ["recipes/pretrain.py", *epochs, f"--pairing={pairing}", f"--seed={seed}"]


def run(pairing, seed):
    """Runs a cell, unless it is finished; returns its result."""
    script, *words = command(pairing, seed)
    name = "_".join(["demo", *(word.rpartition("=")[2] for word in words)])
    out = expand(RUNS_DIR.value) / name
    if not (out / "result.json").exists():
        subprocess.run([sys.executable, ROOT / script, *words, f"--out={out}"], check=True)
    return json.loads((out / "result.json").read_text())


def mean_and_error(values):
    """A mean and its standard error, both in percent."""
    values = 100 * np.asarray(values)
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.1f}"


def share(result, name):
    """A share in percent, or a dash for a pairing that has none."""
    return "-" if result.get(name) is None else f"{100 * result[name]:.1f}"


def standard_error(result):
    """That of a run's k-NN."""
    accuracy = result["knn_after"]
    return (accuracy * (1 - accuracy) / result["knn_images"]) ** 0.5


def table(head, rows):
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def means(results):
    """A row per pairing."""
    rows = []
    for pairing, runs in results.items():
        accuracies = [run["knn_after"] for run in runs]
        gains = np.subtract(accuracies, [run["knn_after"] for run in results["self"]])
        row = [f"`{pairing}`", mean_and_error(accuracies)]
        row.append("-" if pairing == "self" else mean_and_error(gains))
        for name in ("gate_open", "partner_is_self", "partner_purity"):
            values = [run.get(name) for run in runs]
            row.append("-" if None in values else mean_and_error(values))
        rows.append(row)
    head = ("pairing", "k-NN", "difference", "gate open", "partner is self")
    return table((*head, "partner of the same photograph"), rows)


def single(results):
    """A row per run."""
    rows = []
    for pairing, runs in results.items():
        for seed, run in enumerate(runs):
            knn = f"{share(run, 'knn_after')} ± {100 * standard_error(run):.1f}"
            line = " ".join(["python", *command(pairing, seed)])
            row = (share(run, "knn_before"), knn, share(run, "gate_open"), f"`{line}`")
            rows.append([f"`{pairing}`", seed, *row])
    return table(("pairing", "seed", "untrained", "k-NN", "gate open", "command"), rows)


def page(results):
    """The whole file."""
    first = results["self"][0]
    line = f"python benchmarks/demo.py --seeds={SEEDS.value}"
    introduction = INTRODUCTION.format(
        command=line if EPOCHS.value is None else f"{line} --epochs={EPOCHS.value}",
        images=first["provenance"]["images"],
        epochs=first["epochs"],
        raw=100 * first["knn_raw_pixels"],
        before=mean_and_error([run["knn_before"] for run in results["self"]]),
        machine="Machine: " + ", ".join(first["provenance"]["devices"]),
    )
    parts = [MEANS.format(seeds=SEEDS.value), means(results) + "\n", RUNS, single(results) + "\n"]
    return "\n".join([introduction, *parts])


def main(_):
    """Runs what isn't there yet, seed by seed, and writes the tables."""
    results = {pairing: [] for pairing in PAIRINGS}
    for seed in range(SEEDS.value):
        for pairing in PAIRINGS:
            results[pairing].append(run(pairing, seed))
    write_file(OUTPUT.value, page(results))
    print(f"written to {OUTPUT.value}")


if __name__ == "__main__":
    app.run(main)
