import errno

import keras
import pytest
import tensorflow as tf
from keras.src.utils.python_utils import is_default

from keras_adasim import callbacks
from keras_adasim.callbacks import EventLog
from keras_adasim.models.training_loop import silence_between_epochs
from tests.callbacks.models import fit, plain


def events(folder):
    return [path for path in folder.rglob("events.out.tfevents.*") if path.stat().st_size > 100]


def test_events_are_written(tmp_path):
    fit(plain(), 2, [EventLog(tmp_path, write_graph=False)])
    assert events(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        tf.errors.OutOfRangeError(None, None, "events.v2; File too large\nFailed to flush"),
    ],
)
def test_a_full_disk_ends_the_events_alone(tmp_path, monkeypatch, capsys, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("keras.src.callbacks.tensorboard.TensorBoard.on_epoch_end", fail)
    model = plain()
    assert fit(model, 3, [EventLog(tmp_path, write_graph=False)]).epoch == [0, 1, 2]
    told = capsys.readouterr().out
    assert told.count("no more events for TensorBoard") == 1
    assert "Failed to flush" not in told


@pytest.mark.parametrize(
    ("options", "silent"),
    [
        ({"write_graph": False}, True),
        ({"write_graph": True}, False),
        ({"write_graph": False, "update_freq": 2}, False),
        ({"write_graph": False, "write_steps_per_second": True}, False),
        ({"write_graph": False, "profile_batch": 2}, False),
    ],
)
def test_it_keeps_no_device_waiting_behind_a_step(tmp_path, options, silent):
    """Keras fetches every step's logs for a callback with a method of its own there."""
    board = callbacks.EventLog(tmp_path, **options)
    silence_between_epochs(board)
    assert is_default(board.on_train_batch_end) is silent


def test_no_other_callback_does():
    for name in callbacks.__all__:
        kind = getattr(callbacks, name)
        if issubclass(kind, keras.callbacks.Callback) and kind is not callbacks.EventLog:
            assert is_default(kind.on_train_batch_end), name
