"""Small models, each trained by one process or by several together; imported by no test's process
but theirs."""

import contextlib
import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

from keras_adasim import callbacks, data, optimizers
from keras_adasim.callbacks.chief import writes_files
from keras_adasim.workers import told_by_all
from tests.models import tiny
from tests.models.test_exchange import small_cnn
from tests.objectives.tiny import make

OBJECTIVES = ("dino", "byol", "nnclr")


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


def build(name, strategy):
    with strategy.scope():
        model = tiny.model(
            # Batch normalization, of features that differ between images; DINO has none.
            None if name == "dino" else small_cnn(None),
            make(name),
            optimizer=optimizers.SGD(0.02, momentum=0.9, clipnorm=0.3),
            run_eagerly=False,
        )
    source = CountedSource(tiny.images())
    return model, data.PairDataset(source, model.pairing, batch_size=16, seed=5)


def train(name, strategy):
    """Two epochs; returns all variables, the votes' window, the loss and what was decoded."""
    model, pairs = build(name, strategy)
    # Of a batch's rows each worker has its own; an epoch alone tells them apart.
    # The chief alone prints, which is no reason to ask the others for anything.
    prints = [callbacks.Progress(interval=0.0)] if writes_files(model) else []
    model.fit(pairs, epochs=1, verbose=0, callbacks=prints)
    seen = sorted(pairs.source.seen)
    loss = model.fit(pairs, epochs=1, verbose=0).history["loss"]
    records = model.pairing._window
    ids, similarities = records.unpack(records.read(np.arange(tiny.NUM_IMAGES), slice(None)))
    votes = {"ids": ids, "similarities": similarities, "pushes": model.pairing.pushes}
    return {**tiny.state(model), **votes, "loss": loss, "seen": seen}


def stop(strategy, asks):
    """Is told to stop, or not; returns the step after which the training stopped."""
    model, pairs = build("dino", strategy)

    def stop_if_asked():
        if model.everyone_stops(asks):
            raise KeyboardInterrupt

    model.step_hooks.append(stop_if_asked)
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(pairs, epochs=4, verbose=0)
    return int(model.optimizer.iterations.numpy())


def main(folder):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    place = strategy.cluster_resolver.task_id
    for name in OBJECTIVES:
        np.savez(pathlib.Path(folder) / f"{name}-{place}.npz", **train(name, strategy))
    told = {"steps": stop(strategy, asks=place == 1), "places": told_by_all(strategy, place)}
    (pathlib.Path(folder) / f"told-{place}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[2:])
