"""What float16 rows of the bank change in gates and partners, over a window late in training.

    python benchmarks/bank_dtype.py --run=runs/photos

The run's last two checkpoints have two rows of each image: features of two of its views, of almost
the same weights. Half the way between them is taken for the image, and what lies between those of a
random image for the difference that a view makes. So `--epochs` epochs of features are drawn, from
which two banks, with rows of float32 and of float16, find neighbors in the same shuffled batches,
and windows of all these epochs vote. The table of what they differ in is printed.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pathlib

import numpy as np
import tensorflow as tf
from absl import app, flags

from keras_adasim import layers, pairing
from keras_adasim.checkpoints import CheckpointFolder

RUN = flags.DEFINE_string("run", None, "Folder of a run with a bank.", required=True)
EPOCHS = flags.DEFINE_integer("epochs", 50, "Epochs, all of which vote.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 125, "Images per step.")
DTYPES = ("float32", "float16")
TEMPERATURES = (0.001, 0.01)
COLUMNS = (
    "temperature",
    "gates open",
    "gates that differ",
    "mean change of p",
    "largest, mean over images",
    "largest of all",
)


def main(_):
    """Looks up, votes and compares."""
    checkpoints = CheckpointFolder(pathlib.Path(RUN.value) / "checkpoints").all()[-2:]
    rows = [each.joined("bank")[0].astype(np.float32) for each in checkpoints]
    windows = {
        (dtype, t): pairing.AdaptiveWindow(len(rows[0]), EPOCHS.value, temperature=t)
        for dtype in DTYPES
        for t in TEMPERATURES
    }
    off, largest = votes(*rows, windows)
    images, size = rows[0].shape
    print(
        f"{images} images, {size} features, {EPOCHS.value} epochs; similarities off by "
        f"{off:.1e} (mean), {largest:.1e} (most)"
    )
    print("|", " | ".join(COLUMNS), "|")
    print("|---" * len(COLUMNS) + "|")
    for t in TEMPERATURES:
        print("|", " | ".join(difference(*(windows[dtype, t] for dtype in DTYPES))), "|")


def views(first, second, rng):
    """A feature of a view of each image, (N, D), L2-normalized."""
    others = rng.permutation(len(first))
    sign = rng.choice(np.float32([-1, 1]), (len(first), 1))
    noise = sign * (first - second)[others] / np.sqrt(np.float32(2))
    drawn = (first + second) / 2 + noise
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def votes(first, second, windows):
    """Fills the windows; returns the mean and the largest difference of similarities."""
    rng, changes = np.random.default_rng(0), []
    size = first.shape[1]
    banks = {dtype: layers.NeighborBank(len(first), size, row_dtype=dtype) for dtype in DTYPES}
    for _ in range(EPOCHS.value):
        features = views(first, second, rng)
        order = rng.permutation(len(features))
        for indices in np.array_split(order, len(order) // BATCH_SIZE.value):
            for bank in banks.values():
                bank.step(tf.constant(indices), tf.constant(features[indices]))
        records = {dtype: bank.records() for dtype, bank in banks.items()}
        for (dtype, _), window in windows.items():
            window.push(*records[dtype])
        changes.append(np.abs(records["float32"][1] - records["float16"][1]))
    return np.mean(changes), np.max(changes)


def difference(window, other):
    """A row of the table; probabilities are compared where both gates are open."""
    everyone = np.arange(window.num_images)
    ids, p, gate = window.distribution(everyone)
    other_ids, other_p, other_gate = other.distribution(everyone)
    both = gate & other_gate
    changes = np.zeros((both.sum(), 2 * ids.shape[1]))
    for row, image in enumerate(np.flatnonzero(both)):
        found, places = np.unique([*ids[image], *other_ids[image]], return_inverse=True)
        by_id = np.bincount(places, [*p[image], *-other_p[image]], len(found))
        changes[row, : len(found)] = np.abs(by_id)
    largest = changes.max(axis=1)
    return [
        str(window.temperature),
        f"{gate.mean():.1%}",
        f"{(gate != other_gate).mean():.2%}",
        f"{changes.sum() / (both.sum() * ids.shape[1]):.5f}",
        f"{largest.mean():.4f}",
        f"{largest.max():.3f}",
    ]


if __name__ == "__main__":
    app.run(main)
