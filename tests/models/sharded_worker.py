"""Goes on, by several processes together, with a run that one process began; its bank is sharded.

Imported by no test's process but theirs."""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

from keras_adasim import callbacks, data, layers
from tests.layers import bank_on_replicas as banks
from tests.models import tiny


def build(strategy, **arguments):
    """A small model with such a bank."""
    with strategy.scope():
        bank = layers.NeighborBank(tiny.NUM_IMAGES, 16, topk=4, **arguments)
        return tiny.model(bank=bank, run_eagerly=False)


def fit(model, folder, epochs):
    """Trains on to so many epochs; returns the log of the last one."""
    source = data.ArraySource(tiny.images())
    watchers = [callbacks.Measures(source, max_images=8), callbacks.Backup(folder)]
    batches = tiny.dataset(model, 16)
    history = model.fit(batches, epochs=epochs, verbose=0, callbacks=watchers).history
    return {name: float(values[-1]) for name, values in history.items()}


def main(folder):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    place, folder = strategy.cluster_resolver.task_id, pathlib.Path(folder)
    model = build(strategy, sharded=True)
    log = fit(model, folder / "run", 2)
    bank, found = banks.visited(strategy, sharded=True, row_dtype="float16")
    tables = {f"table{i}": table for i, table in enumerate(bank.tables())}
    rows = {"rows": bank.rows([20, 3]), "expected": bank.features.numpy()[[20, 3]]}
    np.savez(folder / f"visited-{place}.npz", ids=found[0], similarities=found[1], **tables, **rows)
    np.savez(folder / f"trained-{place}.npz", *model.bank.tables(), *model.pairing.records([1, 2]))
    (folder / f"log-{place}.json").write_text(json.dumps({**log, **failing(model, folder, place)}))


def failing(model, folder, place):
    """One of them can't write its shard: all hear of it, and none waits for it."""
    if place == 1:
        (folder / "run" / ".shards").write_text("in the way")
    try:
        fit(model, folder / "run", 3)
    except OSError as error:
        return {"error": str(error)}
    return {}


if __name__ == "__main__":
    main(*sys.argv[2:])
