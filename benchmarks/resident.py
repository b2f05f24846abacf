"""A cell of the grid where nothing but the step costs time: images, crops and loop on the device.

    python -m benchmarks.resident --data_dir=cifar10 --objective=dino --pairing=adasim --epochs=36

The settings are those of `benchmarks/grid.py`. What differs from a run of it: all images lie in the
device's memory, and a batch is two vectors of indices; order and partners of an epoch are made at
its start, in one call; `steps_per_execution` lets one call from Python make some hundred steps;
there are no measures, checkpoints or pages between epochs. At the end come the features of all
images, and k-NN. One device alone.
"""

import json
import os
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from benchmarks import grid
from keras_adasim import data, evaluation
from keras_adasim.pretraining import building, devices, surroundings
from keras_adasim.pretraining.deciding import Decision
from keras_adasim.pretraining.images import open_sources


class ResidentPairs(data.PairDataset):
    """A `PairDataset` whose batches are indices alone; an epoch's are made in one call."""

    def as_tf_dataset(self, num_shards=1, shard=0):
        """A finite data set of `{"indices", "partners"}`, (B,) int64 each."""
        dataset = tf.data.Dataset.from_tensors(0).map(self._all_pairs)
        dataset = dataset.flat_map(lambda *pairs: tf.data.Dataset.from_tensor_slices(pairs))
        dataset = dataset.batch(self.batch_size, drop_remainder=True)
        dataset = dataset.map(lambda indices, partners: {"indices": indices, "partners": partners})
        count = tf.data.experimental.assert_cardinality(len(self))
        return dataset.apply(count).prefetch(tf.data.AUTOTUNE)

    def _all_pairs(self, _):
        pairs = tf.numpy_function(self._next_pairs, [], (tf.int64, tf.int64))
        return tuple(tf.ensure_shape(each, (None,)) for each in pairs)

    def _next_pairs(self):
        return self._images_and_partners(slice(None), *self._next_order())


class OnDevice:
    """Views of images that lie on the device, by their indices.

    Args:
        augment: A `DINOAugment`.
        images: (N, H, W, C) uint8 array.
    """

    def __init__(self, augment, images):
        self.augment = augment
        self.images = tf.constant(images)
        self.compilable = augment.compilable
        self.crops, self.channels = augment.crops, augment.channels
        self.mean, self.std = augment.mean, augment.std

    def __call__(self, batch, step):
        """Returns what `augment` makes of both images of every pair."""
        pairs = {"images": batch["indices"], "partners": batch["partners"]}
        gathered = {name: tf.gather(self.images, rows) for name, rows in pairs.items()}
        return self.augment(gathered, step=step)


class Clock(keras.callbacks.Callback):
    """Keeps when training began and when each epoch, with its push of records, was over."""

    def on_train_begin(self, logs=None):
        """Begins."""
        self.marks = [time.perf_counter()]

    def on_epoch_end(self, epoch, logs=None):
        """Marks the end of an epoch."""
        self.marks.append(time.perf_counter())


def steps_per_call(steps, most=200):
    """The largest divisor of an epoch's steps that is at most `most`."""
    return max(n for n in range(1, min(steps, most) + 1) if steps % n == 0)


def build(source, decision):
    """A compiled model and its `ResidentPairs`."""
    policies = building.make_augment(
        building.make_crops(**decision.pick(building.make_crops)),
        **decision.pick(building.make_augment),
    )
    strategy = devices.make_strategy(1)
    model, pairs = building.build(
        source, strategy, decision, None, OnDevice(policies, source.images)
    )
    pairs = ResidentPairs(source, pairs.pairing, pairs.batch_size, seed=pairs.seed)
    optimizer = building.make_optimizer(decision, len(pairs) * decision["epochs"], len(pairs))
    model.compile(
        optimizer, jit_compile=model.compiles, steps_per_execution=steps_per_call(len(pairs))
    )
    return model, pairs


def run_cell(data_dir, objective="dino", pairing="adasim", backbone="vit_tiny", limit=0, **given):
    """Trains and judges a cell.

    Args:
        data_dir: Folder with `train/` and `test/`, a sub-folder per class.
        objective: Name on the grid's axis.
        pairing: Name on the grid's axis.
        backbone: Name on the grid's axis.
        limit: Number of images to train on; 0 for all.
        **given: Other settings, in place of the grid's.

    Returns:
        Dict of `knn`, `images_per_second` without the first epoch, which compiles, and seconds of
        each part.
    """
    start = time.perf_counter()
    train, test = open_sources(data_dir, None, channels=3, limit=limit, seed=0)
    train, test = data.load_in_memory(train), data.load_in_memory(test)
    loaded = time.perf_counter()
    axes = {"objective": objective, "pairing": pairing, "backbone": backbone}
    decision = Decision(given, defaults=grid.defaults_of(axes))
    with surroundings.of_a_run(decision["seed"], decision["precision"]):
        model, pairs = build(train, decision)
        clock = Clock()
        model.fit(pairs, epochs=decision["epochs"], verbose=0, callbacks=[clock])
        features = [model.embed(each.images) for each in (train, test)]
        knn, _ = evaluation.knn_accuracy(
            features[0],
            train.labels,
            features[1],
            test.labels,
            k=min(decision["knn_k"], len(train) - 1),
            temperature=decision["knn_temperature"],
        )
    seconds = np.diff(clock.marks)
    rate = len(pairs) * pairs.batch_size * (len(seconds) - 1) / max(seconds[1:].sum(), 1e-9)
    everyone = np.arange(len(train))
    return {
        "knn": knn,
        "test_images": len(test),
        "images": len(train),
        "partners_of_others": float(np.mean(pairs.pairing.partners(everyone) != everyone)),
        "images_per_second": rate if len(seconds) > 1 else None,
        "steps_per_call": model.steps_per_execution,
        "seconds": {
            "loading": loaded - start,
            "first epoch": seconds[0],
            "other epochs": seconds[1:].sum(),
            "k-NN": time.perf_counter() - clock.marks[-1],
            "all": time.perf_counter() - start,
        },
    }


def main(_):
    """Prints the cell's result as JSON."""
    values = flags.FLAGS
    given = {"epochs": values.epochs, "seed": values.seed, "batch_size": values.batch_size}
    axes = values.objective, values.pairing, values.backbone
    print(json.dumps(run_cell(values.data_dir, *axes, limit=values.limit, **given), indent=1))


if __name__ == "__main__":
    flags.DEFINE_string("data_dir", None, "Folder with train/ and test/.", required=True)
    for axis, names in grid.choices().items():
        flags.DEFINE_enum(axis, grid.DEFAULTS.get(axis) or names[0], names, "One of the axis.")
    flags.DEFINE_integer("epochs", 36, "Epochs.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed.", lower_bound=0)
    flags.DEFINE_integer("batch_size", grid.DEFAULTS["batch_size"], "Images of a step.")
    flags.DEFINE_integer("limit", 0, "Images to train on; 0 for all.", lower_bound=0)
    app.run(main)
