import errno

import pytest
import tensorflow as tf

from keras_adasim.callbacks import EventLog
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
