"""The end of an epoch pushes the bank's records, before any other callback looks."""

import types

import keras
import numpy as np
import pytest

from keras_adasim.callbacks import PushNeighbors


class Recorder:
    """Stands in for a pairing, or for a data set of four batches."""

    def __init__(self):
        self.calls = []

    def __len__(self):
        return 4

    def push(self, ids, similarities):
        self.calls.append((ids, similarities))

    def set_epoch(self, epoch, first_step):
        self.calls.append((epoch, first_step))


def attached(callback, bank, iterations=0):
    optimizer = types.SimpleNamespace(iterations=keras.Variable(iterations, dtype="int64"))
    model = types.SimpleNamespace(bank=bank, pairing=Recorder(), optimizer=optimizer)
    callback.set_model(model)
    return model


def test_records_go_into_the_pairing():
    records = np.arange(6).reshape(3, 2), np.full((3, 2), 0.5, np.float32)
    callback = PushNeighbors()
    model = attached(callback, types.SimpleNamespace(records=lambda: records))
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0)
    ((ids, similarities),) = model.pairing.calls
    np.testing.assert_array_equal(ids, records[0])
    np.testing.assert_array_equal(similarities, records[1])


def test_without_a_bank_the_pairing_still_learns_that_an_epoch_ended():
    callback = PushNeighbors()
    model = attached(callback, None)
    callback.on_epoch_end(3)
    assert model.pairing.calls == [(None, None)]


@pytest.mark.parametrize(("iterations", "epoch"), [(0, 0), (28, 7), (30, 7)])
def test_the_data_set_is_told_which_epoch_begins(iterations, epoch):
    """It was the number of the pairing's pushes, which a pairing of one's own need not count."""
    dataset = Recorder()
    callback = PushNeighbors(dataset)
    attached(callback, None, iterations).pairing.pushes = 99
    callback.on_epoch_begin(0)
    assert dataset.calls == [(epoch, 0)]
