"""Small models, each trained by one process or by several together; imported by no test's process
but theirs."""

import pathlib
import sys

import numpy as np
import tensorflow as tf

from keras_adasim import data, objectives
from tests.models import tiny

MODELS = {
    "dino": tiny.dino,
    "byol": lambda: objectives.BYOL(out_dim=8, hidden_dim=16),
    "nnclr": lambda: objectives.NNCLR(
        out_dim=8, hidden_dim=16, predictor_hidden_dim=16, queue_size=32
    ),
}


class CountedSource(data.ArraySource):
    """Remembers which images are read."""

    def __init__(self, images):
        super().__init__(images)
        self.seen = set()

    def read(self, indices):
        def note(indices):
            self.seen.update(indices.tolist())
            return indices

        noted = tf.numpy_function(note, [indices], tf.int64)
        return super().read(tf.ensure_shape(noted, indices.shape))


def train(name, strategy):
    """Two epochs; returns all variables, the votes' window, the logs and what was decoded."""
    with strategy.scope():
        model = tiny.model(objective=MODELS[name](), run_eagerly=False)
    source = CountedSource(tiny.images())
    pairs = data.PairDataset(source, model.pairing, batch_size=16, seed=5)
    # Of a batch's rows each worker has its own; an epoch alone tells them apart.
    model.fit(pairs, epochs=1, verbose=0)
    seen = sorted(source.seen)
    logs = model.fit(pairs, epochs=1, verbose=0).history
    records = model.pairing._window
    ids, similarities = records.unpack(records.read(np.arange(tiny.NUM_IMAGES), slice(None)))
    votes = {"ids": ids, "similarities": similarities, "pushes": model.pairing.pushes}
    logs = {f"logs:{name}": value for name, value in logs.items()}
    return {**tiny.state(model), **votes, **logs, "seen": seen}


def main(folder):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    place = strategy.cluster_resolver.task_id
    for name in MODELS:
        np.savez(pathlib.Path(folder) / f"{name}-{place}.npz", **train(name, strategy))


if __name__ == "__main__":
    main(*sys.argv[2:])
