import errno
import os
import pathlib
import re
import shutil

import keras
import numpy as np
import pytest

from keras_adasim.callbacks import Backup
from keras_adasim.checkpoints import CheckpointFolder, checkpoint, checkpoint_folder
from tests.callbacks.models import fit, plain


class Killed(Exception):
    pass


class KillIn(keras.callbacks.Callback):
    """Stops a run at the end of an epoch, as an exception does."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise Killed


def _state(model):
    return [v.numpy() for v in [*model.variables, *model.optimizer.variables]]


def _assert_equal(model, other):
    for ours, theirs in zip(_state(model), _state(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _saved(directory):
    return sorted(entry.name for entry in pathlib.Path(directory).iterdir())


def test_resumed_run_equals_one_that_was_never_killed(tmp_path, whole):
    # With Keras' BackupAndRestore dropout draws the masks of the first epochs again.
    killed = plain()
    with pytest.raises(Killed):
        fit(killed, 4, [Backup(tmp_path), KillIn(1)])
    assert _saved(tmp_path) == ["epoch-1", "epoch-2"]
    resumed = plain(seed=9)
    history = fit(resumed, 4, [Backup(tmp_path)])
    assert history.epoch == [2, 3]
    _assert_equal(resumed, whole)
    assert _saved(tmp_path) == ["epoch-3", "epoch-4"]


def test_epoch_that_was_not_saved_is_done_again(tmp_path, whole):
    with pytest.raises(Killed):
        fit(plain(), 4, [KillIn(2), Backup(tmp_path)])
    resumed = plain(seed=9)
    assert fit(resumed, 4, [Backup(tmp_path)]).epoch == [2, 3]
    _assert_equal(resumed, whole)


def test_finished_run_is_not_trained_on(tmp_path):
    model = plain()
    fit(model, 2, [Backup(tmp_path)])
    again = plain(seed=9)
    assert fit(again, 2, [Backup(tmp_path)]).epoch == []
    _assert_equal(again, model)
    assert fit(again, 3, [Backup(tmp_path)]).epoch == [2]


def test_fit_without_a_backup_starts_where_it_is_told(tmp_path):
    # Keras' BackupAndRestore leaves its epoch in the model: the next fit would begin there too.
    fit(plain(), 3, [Backup(tmp_path)])
    model = plain()
    fit(model, 4, [Backup(tmp_path)])
    assert fit(model, 2).epoch == [0, 1]
    fit(model, 4, [Backup(tmp_path)])
    assert fit(model, 2).epoch == [0, 1]


def test_every_and_the_last_epoch(tmp_path):
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(_saved(tmp_path))
    )
    fit(plain(), 5, [Backup(tmp_path, every=2, keep=1), watch])
    assert seen == [[], ["epoch-2"], ["epoch-2"], ["epoch-4"], ["epoch-4"]]
    assert _saved(tmp_path) == ["epoch-5"]


@pytest.mark.parametrize(
    ("owner", "name", "call", "epochs"),
    [
        # Two groups in each save.
        (checkpoint, "write_group", 5, [2, 3]),
        (checkpoint, "write_group", 6, [2, 3]),
        (checkpoint, "write_file", 3, [2, 3]),
        # Two in each save, of the manifest and of the folder; a third for the one that goes.
        (os, "replace", 5, [2, 3]),
        (os, "replace", 6, [2, 3]),
        (os, "replace", 7, [3]),
        (checkpoint_folder, "flush_folder", 3, [3]),
        (CheckpointFolder, "remove_leftovers", 7, [3]),
    ],
)
def test_killed_while_saving_the_third_epoch(
    tmp_path, monkeypatch, whole, owner, name, call, epochs
):
    function, calls = getattr(owner, name), []

    def stop(*args, **kwargs):
        calls.append(args)
        if len(calls) < call:
            return function(*args, **kwargs)
        if name == "write_group":
            (args[0] / f"{args[1]}.npz").write_bytes(b"half")
        raise Killed

    killed = plain()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stop)
        with pytest.raises(Killed):
            fit(killed, 4, [Backup(tmp_path)])
    resumed = plain(seed=9)
    assert fit(resumed, 4, [Backup(tmp_path)]).epoch == epochs
    _assert_equal(resumed, whole)
    assert _saved(tmp_path) == ["epoch-3", "epoch-4"]


@pytest.mark.parametrize(
    "other", [lambda: plain(width=4), lambda: plain(optimizer="sgd")], ids=["width", "optimizer"]
)
def test_checkpoint_of_another_model(tmp_path, other):
    fit(plain(), 2, [Backup(tmp_path)])
    model = other()
    before = [v.numpy() for v in model.variables]
    message = r"epoch-2' to be of this model.*pass another `directory`.*other shapes"
    with pytest.raises(ValueError, match=message):
        fit(model, 4, [Backup(tmp_path)])
    for value, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())
    assert fit(plain(), 3, [Backup(tmp_path)]).epoch == [2]


@pytest.mark.parametrize("file", ["model.npz", "optimizer.npz", "manifest.json"])
@pytest.mark.parametrize("damage", ["flipped", "short", "empty", "gone"])
def test_damaged_newest_checkpoint_is_named_and_the_one_before_taken(
    tmp_path, capsys, whole, file, damage
):
    fit(plain(), 3, [Backup(tmp_path)])
    path = tmp_path / "epoch-3" / file
    content = path.read_bytes()
    half = len(content) // 2
    flipped = content[:half] + bytes([content[half] ^ 255]) + content[half + 1 :]
    path.write_bytes({"flipped": flipped, "short": content[:half]}.get(damage, b""))
    if damage == "gone":
        path.unlink()
    resumed = plain(seed=9)
    assert fit(resumed, 4, [Backup(tmp_path)]).epoch == [2, 3]
    told = capsys.readouterr().out
    assert re.search(rf"warning: the checkpoint .*epoch-3 is damaged: .*{file}", told)
    assert "continuing after epoch 2, from" in told
    _assert_equal(resumed, whole)
    assert _saved(tmp_path) == ["epoch-3", "epoch-4"]


def test_no_whole_checkpoint_is_an_error(tmp_path):
    fit(plain(), 2, [Backup(tmp_path)])
    for name in ("epoch-1", "epoch-2"):
        (tmp_path / name / "model.npz").unlink()
    message = r"whole checkpoint in .*epoch-2: model.npz.*epoch-1: model.npz.*another `directory`"
    with pytest.raises(ValueError, match=message):
        fit(plain(), 4, [Backup(tmp_path)])
    assert _saved(tmp_path) == ["epoch-1", "epoch-2"]


@pytest.mark.parametrize(
    ("scores", "signs", "kept"),
    [
        ([0.1, 0.9, 0.3, 0.2, 0.5], 0, [2, 4, 5]),
        ([0.5] * 5, 0, [4, 5]),
        # What collapses is not the best, so that what was before stays.
        ([0.1, 0.6, 0.7, 0.8, 0.9], 3, [2, 4, 5]),
    ],
)
def test_the_best_epoch_stays(tmp_path, scores, signs, kept):
    class Score(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["knn_top1"] = scores[epoch]
            if epoch >= 5 - signs:
                logs["collapse_signs"] = 1

    fit(plain(), 3, [Score(), Backup(tmp_path)])
    backup = Backup(tmp_path)
    fit(plain(), 5, [Score(), backup])
    assert _saved(tmp_path) == [f"epoch-{epoch}" for epoch in kept]
    assert backup.checkpoints.best().score == max(scores[: 5 - signs])


@pytest.mark.parametrize("free", [10, None])
def test_a_full_disk_ends_nothing_but_the_last_epoch(tmp_path, monkeypatch, capsys, whole, free):
    usage = shutil.disk_usage(tmp_path)._replace(free=free)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    def fill(patch):
        if free is None:
            patch.setattr(checkpoint, "write_group", full)
        else:
            patch.setattr(shutil, "disk_usage", lambda path: usage)

    model = plain()
    with monkeypatch.context() as patch:
        watch = {0: lambda: fill(patch), 2: patch.undo}
        disk = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: watch.get(epoch, int)()
        )
        fit(model, 4, [Backup(tmp_path), disk])
    told = capsys.readouterr().out
    assert re.search(
        r"no checkpoint after epoch 2 in .*free: .*space.*the last one, after epoch 1, st", told
    )
    assert _saved(tmp_path) == ["epoch-1", "epoch-4"]
    _assert_equal(model, whole)
    fill(monkeypatch)
    with pytest.raises(OSError, match=r"space.*" + str(tmp_path)):
        fit(model, 5, [Backup(tmp_path)])
    assert _saved(tmp_path) == ["epoch-1", "epoch-4"]


def test_two_replicas(tmp_path, two_replicas):
    keras.utils.set_random_seed(1)
    with two_replicas.scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
        model.compile("adam", "mse")

    def copy(epoch, logs):
        """Leaves what a run that was killed after two epochs does; one of its own takes longer."""
        if epoch == 1:
            shutil.copytree(tmp_path / "whole", tmp_path / "killed")

    watch = keras.callbacks.LambdaCallback(on_epoch_end=copy)
    fit(model, 3, [Backup(tmp_path / "whole"), watch])
    whole = _state(model)
    # Nothing of the run is left in the model but its graph, which took the time.
    for variable in [*model.variables, *model.optimizer.variables]:
        variable.assign(np.zeros_like(variable.numpy()))
    assert fit(model, 3, [Backup(tmp_path / "killed")]).epoch == [2]
    for ours, theirs in zip(_state(model), whole, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("kind", ["older", "newer"])
def test_checkpoint_of_another_version_is_refused(tmp_path, kind):
    folder = tmp_path / "epoch-2"
    folder.mkdir()
    if kind == "older":
        (folder / "state.json").write_text("{}")
    else:
        (folder / "manifest.json").write_text('{"format": 5, "keras_adasim": "9.1"}')
    received = {"older": "of an older format", "newer": "format 5 of version 9.1"}[kind]
    with pytest.raises(ValueError, match=f"checkpoint of format 4.*{received}.*Continue the run"):
        fit(plain(), 4, [Backup(tmp_path)])


def test_home_folder(tmp_path, monkeypatch):
    # A folder named ~ was made where the run was started.
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Backup("~/checkpoints").directory == tmp_path / "checkpoints"


@pytest.mark.parametrize("name", ["every", "every_steps", "keep"])
@pytest.mark.parametrize("value", [0, 1.0, "2", True])
def test_wrong_arguments(tmp_path, name, value):
    with pytest.raises(ValueError, match=rf"`{name}` to be a positive integer. Received: {name}="):
        Backup(tmp_path, **{name: value})
