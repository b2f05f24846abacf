import csv
import os

import keras
import pytest

from keras_adasim.callbacks import EpochLog
from tests.callbacks.models import fit, plain


class Extra(keras.callbacks.Callback):
    """Adds a value to the logs from the second epoch on."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch > 0:
            logs["extra"] = float(epoch)


def _read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_per_epoch_with_all_logs(tmp_path):
    path = tmp_path / "run" / "log.csv"
    history = fit(plain(), 3, [Extra(), EpochLog(path)]).history
    rows = _read(path)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [float(row["loss"]) for row in rows] == history["loss"]
    assert [row["extra"] for row in rows] == ["", "1.0", "2.0"]


def test_resumed_run_appends_and_replaces_the_epochs_done_again(tmp_path):
    # keras.callbacks.CSVLogger either forgets the first epochs or writes some of them twice.
    path = tmp_path / "log.csv"
    fit(plain(), 3, [EpochLog(path)])
    first = _read(path)
    callback = EpochLog(path)
    fit(plain(), 4, [callback], initial_epoch=2)
    rows = _read(path)
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert rows[:2] == first[:2]
    fit(plain(), 1, [callback])
    assert [row["epoch"] for row in _read(path)] == ["0"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.csv"]


def test_home_folder(tmp_path, monkeypatch):
    # A folder named ~ was made where the run was started.
    monkeypatch.setenv("HOME", str(tmp_path))
    fit(plain(), 1, [EpochLog("~/log.csv")])
    assert len(_read(tmp_path / "log.csv")) == 1


def test_killed_while_writing(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    callback = EpochLog(path)
    fit(plain(), 2, [callback])
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *names: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fit(plain(), 3, [callback], initial_epoch=2)
    assert len(_read(path)) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.csv"]


def test_tensorboard_sees_what_earlier_callbacks_add(tmp_path):
    fit(plain(), 2, [Extra(), keras.callbacks.TensorBoard(tmp_path, write_graph=False)])
    events = b"".join(file.read_bytes() for file in (tmp_path / "train").iterdir())
    assert b"epoch_extra" in events
    assert b"epoch_loss" in events
