"""The end of an epoch pushes the bank's records, before any other callback looks."""

import types

import keras
import numpy as np

from keras_adasim.callbacks import PushNeighbors


class Recorder:
    def __init__(self):
        self.calls = []

    def push(self, ids, similarities):
        self.calls.append((ids, similarities))

    def set_epoch(self, epoch):
        self.calls.append(epoch)


def attached(callback, bank):
    model = types.SimpleNamespace(bank=bank, pairing=Recorder())
    callback.set_model(model)
    return model


def test_records_go_into_the_pairing():
    ids = keras.Variable(np.arange(6).reshape(3, 2), dtype="int64", trainable=False)
    similarities = keras.Variable(np.full((3, 2), 0.5), trainable=False)
    callback = PushNeighbors()
    model = attached(callback, types.SimpleNamespace(ids=ids, similarities=similarities))
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0)
    ((pushed_ids, pushed_similarities),) = model.pairing.calls
    np.testing.assert_array_equal(pushed_ids, ids.numpy())
    np.testing.assert_array_equal(pushed_similarities, similarities.numpy())


def test_without_a_bank_the_pairing_still_learns_that_an_epoch_ended():
    callback = PushNeighbors()
    model = attached(callback, None)
    callback.on_epoch_end(3)
    assert model.pairing.calls == [(None, None)]


def test_the_data_set_is_told_which_epoch_begins():
    dataset = Recorder()
    callback = PushNeighbors(dataset)
    attached(callback, None).pairing.pushes = 7
    callback.on_epoch_begin(0)
    assert dataset.calls == [7]
