"""What float16 rows of the bank change in gates and partners, over a window late in training.

    python benchmarks/bank_dtype.py --backbone=runs/photos/saved_model --data_dir=cifar10/train

A trained backbone, whose weights stand still as they all but do at a run's end, sees a random crop
of every image in each of `--epochs` epochs, in shuffled batches. Two banks, whose rows are of
float32 and of float16, look up and keep the same features, each with a window of all these epochs.
The table of what their votes differ in is printed.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from absl import app, flags

from keras_adasim import augment, data, export, layers, pairing

BACKBONE = flags.DEFINE_string("backbone", None, "SavedModel of a run.", required=True)
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of images.", required=True)
IMAGES = flags.DEFINE_integer("images", 5000, "At most so many, spread over all.")
IMAGE_SIZE = flags.DEFINE_integer("image_size", 32, "Side of the crops, in pixels.")
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
    source = data.load_in_memory(images())
    windows = {
        (dtype, t): pairing.AdaptiveWindow(len(source), EPOCHS.value, temperature=t)
        for dtype in DTYPES
        for t in TEMPERATURES
    }
    similar = votes(source, windows)
    print(f"{len(source)} images, {EPOCHS.value} epochs, similarities off by {similar:.1e} at most")
    print("|", " | ".join(COLUMNS), "|")
    print("|---" * len(COLUMNS) + "|")
    for t in TEMPERATURES:
        print("|", " | ".join(difference(*(windows[dtype, t] for dtype in DTYPES))), "|")


def images():
    """The images, evenly spread over the folder."""
    source = data.ImageFolder(DATA_DIR.value)
    count = min(IMAGES.value, len(source))
    return data.Subset(source, np.linspace(0, len(source) - 1, count, dtype=int))


def votes(source, windows):
    """Fills the windows; returns the largest difference of two similarities at one place."""
    backbone = export.load_backbone(BACKBONE.value)
    crops = augment.MultiCrop(IMAGE_SIZE.value)
    views = augment.DINOAugment(crops, mean=(0.0,) * 3, std=(1.0,) * 3, exclude=("blur",))
    pairs = data.PairDataset(source, pairing.SelfPairing(), BATCH_SIZE.value, seed=0)
    banks, largest = {}, 0.0

    @tf.function
    def look(batch, step):
        return backbone(views(batch, step=step)[0])["features"]

    for epoch in range(EPOCHS.value):
        pairs.set_epoch(epoch)
        for place, batch in enumerate(pairs.as_tf_dataset()):
            features = look(batch, tf.constant(epoch * len(pairs) + place, tf.int64))
            for dtype in DTYPES:
                if dtype not in banks:
                    size = features.shape[-1]
                    banks[dtype] = layers.NeighborBank(len(source), size, row_dtype=dtype)
                banks[dtype](batch["indices"], features)
        records = {dtype: bank.records() for dtype, bank in banks.items()}
        for (dtype, _), window in windows.items():
            window.push(*records[dtype])
        similarities = [records[dtype][1] for dtype in DTYPES]
        largest = max(largest, np.abs(similarities[0] - similarities[1]).max())
        print(f"epoch {epoch + 1} of {EPOCHS.value}", end="\r", flush=True)
    return largest


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
