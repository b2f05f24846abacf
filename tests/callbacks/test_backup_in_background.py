"""Checkpoints of a large state: arrays in files of their own, finished by another thread."""

import json
import shutil
import threading

import keras
import numpy as np
import pytest

from keras_adasim import finite
from keras_adasim.callbacks import Backup, backup
from keras_adasim.checkpoints import checkpoint, checkpoint_folder, large_array
from tests.callbacks.models import fit, plain
from tests.callbacks.test_backup import _assert_equal, _saved, _state


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch):
    monkeypatch.setattr(backup, "LARGE_STATE", 0)
    monkeypatch.setattr(large_array, "LARGE", 16)
    monkeypatch.setattr(large_array, "_AT_ONCE", 24)  # Rows of 12 bytes, two at a time.
    monkeypatch.setattr(finite, "_AT_ONCE", 5)


class Gate:
    """Holds the thread that finishes checkpoints; counts those that are in it at once."""

    def __init__(self, monkeypatch):
        self.open, self.inside = threading.Event(), threading.Event()
        self.now = self.most = 0
        flush = checkpoint.flush_folder

        def held(path):
            self.now += 1
            self.most = max(self.most, self.now)
            self.inside.set()
            assert self.open.wait(60)
            flush(path)
            self.now -= 1

        monkeypatch.setattr(checkpoint, "flush_folder", held)


@pytest.fixture
def gate(monkeypatch):
    return Gate(monkeypatch)


def at_the_end_of(epoch, function):
    def call(now, logs):
        if now == epoch:
            function()

    return keras.callbacks.LambdaCallback(on_epoch_end=call)


def test_resumed_run_equals_one_that_was_never_stopped(tmp_path, whole):
    fit(plain(), 2, [Backup(tmp_path)])
    assert _saved(tmp_path) == ["epoch-1", "epoch-2"]
    files = _saved(tmp_path / "epoch-2")
    assert any(name.startswith("model.00000 ") and name.endswith(" kernel.npy") for name in files)
    assert json.loads((tmp_path / "epoch-2/manifest.json").read_text())["format"] == 4
    resumed = plain(seed=9)
    assert fit(resumed, 4, [Backup(tmp_path)]).epoch == [2, 3]
    _assert_equal(resumed, whole)


def test_training_goes_on_while_the_thread_waits_and_the_next_one_waits_for_it(tmp_path, gate):
    went_on = []

    def look():
        assert gate.inside.wait(60)
        went_on.append(_saved(tmp_path))
        # The second epoch's checkpoint waits for the first one's.
        threading.Timer(0.05, gate.open.set).start()

    fit(plain(), 3, [Backup(tmp_path), at_the_end_of(0, look)])
    assert went_on == [[".epoch-1"]]
    assert gate.most == 1
    assert _saved(tmp_path) == ["epoch-2", "epoch-3"]


def test_what_is_saved_is_what_was_handed_over(tmp_path, gate):
    model = plain()
    at_hand_over = []

    def change():
        at_hand_over.extend(_state(model))
        for variable in model.variables:
            variable.assign(variable + keras.ops.cast(1, variable.dtype))
        gate.open.set()

    fit(model, 1, [Backup(tmp_path), at_the_end_of(0, change)])
    restored = plain(seed=9)
    fit(restored, 1, [Backup(tmp_path)])
    for ours, theirs in zip(_state(restored), at_hand_over, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_killed_while_the_thread_works_the_one_before_stands(tmp_path, gate, whole):
    gate.open.set()
    folder, copy = tmp_path / "run", tmp_path / "killed"

    def kill():
        gate.open.clear()
        gate.inside.clear()

    def see():
        assert gate.inside.wait(60)
        shutil.copytree(folder, copy)
        gate.open.set()

    callbacks = [at_the_end_of(1, kill), Backup(folder), at_the_end_of(1, see)]
    fit(plain(), 2, callbacks)
    assert _saved(copy) == [".epoch-2", "epoch-1"]
    resumed = plain(seed=9)
    assert fit(resumed, 4, [Backup(copy)]).epoch == [1, 2, 3]
    _assert_equal(resumed, whole)


@pytest.mark.parametrize("broken", [0, 1, 3])
def test_a_thread_that_fails_is_told_and_the_one_before_stays(
    tmp_path, monkeypatch, capsys, broken, whole
):
    replace, numbers = checkpoint_folder.os.replace, iter(range(100))

    def fails(source, target):
        if str(source).endswith(f".epoch-{broken + 1}") and next(numbers) == 0:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(checkpoint_folder.os, "replace", fails)
    fit(plain(), 4, [Backup(tmp_path)])
    told = capsys.readouterr().out
    assert f"warning: no checkpoint after epoch {broken + 1} in {tmp_path}" in told
    stays = f"the last one, after epoch {broken}, stays" if broken else "none is yet"
    assert stays in told
    assert [name for name in _saved(tmp_path) if name.startswith(".")] == []
    restored = plain(seed=9)
    fit(restored, 4, [Backup(tmp_path)])
    _assert_equal(restored, whole)


def test_the_last_epoch_that_can_not_be_saved_is_an_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint_folder, "flush_folder", full)
    with pytest.raises(OSError, match="No space"):
        fit(plain(), 1, [Backup(tmp_path)])


def test_a_checkpoint_of_the_format_before_is_read(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(large_array, "LARGE", 2**25)
    monkeypatch.setattr(checkpoint, "FORMAT", 3)
    fit(plain(), 2, [Backup(tmp_path)])
    monkeypatch.undo()
    resumed = plain(seed=9)
    assert fit(resumed, 4, [Backup(tmp_path)]).epoch == [2, 3]
    _assert_equal(resumed, whole)


def test_a_damaged_large_array_is_named(tmp_path, capsys):
    fit(plain(), 2, [Backup(tmp_path)])
    (path,) = (tmp_path / "epoch-2").glob("model.00000*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    fit(plain(), 2, [Backup(tmp_path)])
    assert f"{path.name}, which isn't as it was written" in capsys.readouterr().out


@pytest.mark.parametrize("shape", [(1, 3), (7, 2, 3), (1000, 1), (5, 100)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64"])
def test_a_large_array_comes_back(tmp_path, shape, dtype):
    array = (np.random.default_rng(0).normal(size=shape) * 100).astype(dtype)
    asked = []

    def read(start, end):
        asked.append((start, end))
        return array[start:end]

    large_array.LargeArray(shape, dtype, read).write(tmp_path / "array.npy")
    found = np.load(tmp_path / "array.npy")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert sorted(asked)[0][0] == 0
    assert max(end - start for start, end in asked) * array[:1].nbytes <= max(24, array[:1].nbytes)
