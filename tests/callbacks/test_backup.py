import json
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest

from keras_adasim.callbacks import Backup, backup
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


@pytest.fixture(scope="module")
def whole():
    """A model trained for four epochs, without a break."""
    model = plain()
    fit(model, 4)
    return model


def test_resumed_run_equals_one_that_was_never_killed(tmp_path, whole):
    # With Keras' BackupAndRestore dropout draws the masks of the first epochs again.
    killed = plain()
    with pytest.raises(Killed):
        fit(killed, 4, [Backup(tmp_path), KillIn(1)])
    assert _saved(tmp_path) == ["epoch-2"]
    resumed = plain(seed=9)
    history = fit(resumed, 4, [Backup(tmp_path)])
    assert history.epoch == [2, 3]
    _assert_equal(resumed, whole)
    assert _saved(tmp_path) == ["epoch-4"]


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
    fit(plain(), 5, [Backup(tmp_path, every=2), watch])
    assert seen == [[], ["epoch-2"], ["epoch-2"], ["epoch-4"], ["epoch-4"]]
    assert _saved(tmp_path) == ["epoch-5"]


@pytest.mark.parametrize(
    ("owner", "name", "call", "epochs"),
    [
        (keras.Model, "save_weights", 3, [2, 3]),
        (backup, "write_file", 3, [2, 3]),
        # Two in each save: that of the state's file and that of the folder.
        (os, "replace", 5, [2, 3]),
        (os, "replace", 6, [2, 3]),
        # The fifth removal is that of the second checkpoint, when the third is complete.
        (shutil, "rmtree", 5, [3]),
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
        if name == "save_weights":
            args[1].write_bytes(b"half")
        raise Killed

    killed = plain()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stop)
        with pytest.raises(Killed):
            fit(killed, 4, [Backup(tmp_path)])
    resumed = plain(seed=9)
    assert fit(resumed, 4, [Backup(tmp_path)]).epoch == epochs
    _assert_equal(resumed, whole)
    assert _saved(tmp_path) == ["epoch-4"]


@pytest.mark.parametrize(
    "other", [lambda: plain(width=4), lambda: plain(optimizer="sgd")], ids=["width", "optimizer"]
)
def test_checkpoint_of_another_model(tmp_path, other):
    fit(plain(), 2, [Backup(tmp_path)])
    model = other()
    before = [v.numpy() for v in model.variables]
    message = r"epoch-2' to be whole, and of this model.*pass another `directory`.*other shapes"
    with pytest.raises(ValueError, match=message):
        fit(model, 4, [Backup(tmp_path)])
    for value, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())
    assert fit(plain(), 3, [Backup(tmp_path)]).epoch == [2]


def test_damaged_checkpoint_is_named(tmp_path):
    fit(plain(), 2, [Backup(tmp_path)])
    (tmp_path / "epoch-2" / "model.weights.h5").write_bytes(b"not a weights file")
    with pytest.raises(ValueError, match=r"epoch-2' to be whole, and of this model"):
        fit(plain(), 4, [Backup(tmp_path)])


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


def test_checkpoint_of_the_first_version(tmp_path):
    # Written line by line, as it stands on disks, not by what is tested.
    model = plain()
    fit(model, 2)
    folder = tmp_path / "epoch-2"
    folder.mkdir()
    model.save_weights(folder / "model.weights.h5")
    seeds = [v for v in model.non_trainable_variables if "seed" in v.path]
    state = {
        "finished_epochs": 2,
        "random_states": [v.numpy().tolist() for v in seeds],
        "shapes": {
            "model": [list(v.shape) for v in model.weights],
            "optimizer": [list(v.shape) for v in model.optimizer.variables],
        },
    }
    (folder / "state.json").write_text(json.dumps(state))
    resumed = plain(seed=9)
    assert fit(resumed, 2, [Backup(tmp_path)]).epoch == []
    assert len(seeds) == 1
    _assert_equal(resumed, model)


def test_home_folder(tmp_path, monkeypatch):
    # A folder named ~ was made where the run was started.
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Backup("~/checkpoints").directory == tmp_path / "checkpoints"


@pytest.mark.parametrize("every", [0, 1.0, "2", None, True])
def test_wrong_arguments(tmp_path, every):
    with pytest.raises(ValueError, match=r"`every` to be a positive integer. Received: every="):
        Backup(tmp_path, every=every)
