"""Checkpoints of a large bank, whose rows are written while steps overwrite them."""

import threading

import keras
import numpy as np
import pytest

from keras_adasim import NotFiniteError, layers
from keras_adasim.callbacks import Backup, backup
from keras_adasim.checkpoints import CheckpointFolder, large_array
from keras_adasim.layers import earlier_rows
from tests.models import tiny


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch):
    monkeypatch.setattr(backup, "LARGE_STATE", 0)
    monkeypatch.setattr(earlier_rows, "LARGE_BANK", 0)
    monkeypatch.setattr(large_array, "LARGE", 16)
    monkeypatch.setattr(large_array, "_AT_ONCE", 5 * 16 * 4)  # Five rows of features.


class Slowly:
    """Lets a part of a checkpoint be read for every step that is done, and the rest at once."""

    def __init__(self, monkeypatch):
        self.steps = threading.Semaphore(0)
        read = earlier_rows.EarlierRows.read_shard

        def waits(rows, *arguments):
            assert self.steps.acquire(timeout=60)
            return read(rows, *arguments)

        monkeypatch.setattr(earlier_rows.EarlierRows, "read_shard", waits)
        monkeypatch.setattr(large_array, "_THREADS", 1)

    def read_the_rest(self):
        for _ in range(100):
            self.steps.release()


@pytest.fixture
def slowly(monkeypatch):
    return Slowly(monkeypatch)


def tables(model):
    return [np.array(table) for table in model.bank.tables()]


def fit(model, folder, slowly, epochs=2):
    """Trains, and returns the bank's tables after every epoch."""
    seen = []
    model.step_hooks.append(slowly.steps.release)

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(tables(model))
            slowly.read_the_rest() if epoch else None

    callbacks = [Look(), Backup(folder)]
    model.fit(tiny.dataset(model), epochs=epochs, callbacks=callbacks, verbose=0)
    return seen


def same(found, expected):
    for (_, array), table in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, table)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.large)])
def test_what_is_saved_is_what_was_there(tmp_path, slowly, jit_compile):
    model = tiny.model(jit_compile=jit_compile)
    seen = fit(model, tmp_path, slowly)
    for checkpoint, expected in zip(CheckpointFolder(tmp_path).all(), seen, strict=True):
        same(checkpoint.group("bank"), expected)
    assert not np.array_equal(seen[0][0], seen[1][0])
    assert not model.bank.earlier_rows._parts
    # All steps went on before the first was written: with the rows alone it would be the second.
    resumed = tiny.model()
    assert Backup(tmp_path).restore(resumed) == 2
    same(enumerate(tables(resumed)), seen[1])


@pytest.mark.large
@pytest.mark.parametrize("sharded", [False, True])
def test_on_two_replicas(tmp_path, slowly, two_replicas, sharded):
    with two_replicas.scope():
        model = tiny.model(bank=layers.NeighborBank(32, 16, 4, sharded=sharded))
    seen = fit(model, tmp_path, slowly)
    for checkpoint, expected in zip(CheckpointFolder(tmp_path).all(), seen, strict=True):
        for array, table in zip(checkpoint.joined("bank"), expected, strict=True):
            np.testing.assert_array_equal(array, table)


def test_rows_that_are_not_finite_replace_no_checkpoint(tmp_path, slowly):
    model = tiny.model()
    slowly.read_the_rest()
    fit(model, tmp_path, slowly, epochs=1)
    table = model.bank.tables()[0]
    model.bank.rows_kept.assign(0, 3, np.full_like(table[:1], np.nan))
    backup = Backup(tmp_path)
    backup.set_model(model)
    backup.on_epoch_end(1)
    with pytest.raises(NotFiniteError, match="a finite bank"):
        backup.wait()
    assert [found.place for found in CheckpointFolder(tmp_path).all()] == [(1, 0)]


def test_two_who_keep_rows_wait_for_each_other():
    rows, order = tiny.model().bank.earlier_rows, []

    def second():
        with rows.kept():
            order.append("second")

    thread = threading.Thread(target=second)
    with rows.kept():
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
