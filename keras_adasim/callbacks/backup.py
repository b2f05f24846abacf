"""Checkpoints that a killed run continues from."""

import json
import os
import re
import shutil

import keras

from keras_adasim.callbacks.chief import writes_files
from keras_adasim.files import expand, flush_folder, write_file
from keras_adasim.finite import check_finite
from keras_adasim.validation import check_integer

WEIGHTS = "model.weights.h5"
STATE = "state.json"


class Backup(keras.callbacks.Callback):
    """Saves the whole training state, and lets `fit` continue from it.

    A checkpoint holds all that decides what comes next: the model's weights and other state
    (of a `SelfDistillation` student, teacher, heads, center, bank and window), the optimizer,
    random states, and the number of finished epochs. When `fit` starts and the directory has a
    checkpoint, it is restored and `fit` goes on with the first epoch that is not finished.

    Each checkpoint is a folder `epoch-N`, written under another name and then renamed. The last
    one is removed only after that, so that a run killed at any moment finds a complete one.

    The model must be built, and keep its shape. Put it after callbacks that change the model's
    state. With several processes the chief writes and all read.

    Args:
        directory: Folder of the checkpoints, of this run only; `~` is the home folder.
        every: Epochs between two checkpoints; the last epoch is always saved.

    Raises:
        ValueError: If `every` isn't a positive integer; in `fit`, if the checkpoint there is not
            this model's.
        NotFiniteError: In `fit`, instead of a checkpoint of NaN; the last one stays.

    Example:
        ```python
        import tempfile

        backup = ka.callbacks.Backup(tempfile.mkdtemp())
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        for epochs in (2, 3):  # The second call does the third epoch alone.
            model.fit(np.ones((8, 4)), np.ones(8), epochs=epochs, callbacks=[backup], verbose=0)
        ```
    """

    def __init__(self, directory, every=1):
        super().__init__()
        self.directory = expand(directory)
        self.every = check_integer("every", every)

    def on_train_begin(self, logs=None):
        """Restores the newest checkpoint, if there is one."""
        self._finished = self._saved = 0
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        if writes_files(self.model):
            self._remove_leftovers()
        checkpoints = self._checkpoints()
        if checkpoints:
            self._restore(checkpoints[-1])
            print(f"continuing after epoch {self._finished}, from {checkpoints[-1]}", flush=True)

    def on_epoch_begin(self, epoch, logs=None):
        """Takes back what told `fit` where to begin, or a later `fit` would begin there too."""
        self.model._initial_epoch = None

    def on_epoch_end(self, epoch, logs=None):
        """Saves, if it is time."""
        self._finished = epoch + 1
        if self._finished % self.every == 0:
            self._save()

    def on_train_end(self, logs=None):
        """Saves the last epoch."""
        self.model._initial_epoch = None
        if self._finished > self._saved:
            self._save()

    def restore(self, model):
        """Loads the newest checkpoint into a model, without training it.

        Args:
            model: Model of the same shape as the one that was saved.

        Returns:
            Number of finished epochs; 0 if there is no checkpoint.
        """
        self.set_model(model)
        self._finished = 0
        checkpoints = self._checkpoints()
        if checkpoints:
            self._restore(checkpoints[-1])
            model._initial_epoch = None
        return self._finished

    def _checkpoints(self):
        """Complete checkpoints, oldest first."""
        if not self.directory.is_dir():
            return []
        folders = [f for f in self.directory.iterdir() if re.fullmatch(r"epoch-\d+", f.name)]
        return sorted(folders, key=lambda folder: int(folder.name.removeprefix("epoch-")))

    def _remove_leftovers(self):
        """Removes what a killed run left half written."""
        if self.directory.is_dir():
            for folder in self.directory.glob(".epoch-*"):
                shutil.rmtree(folder)

    def _save(self):
        check_finite(self._variables(), f"epoch {self._finished}, which was not saved")
        self._saved = self._finished
        if not writes_files(self.model):
            return
        temporary = self.directory / f".epoch-{self._finished}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        self.model.save_weights(temporary / WEIGHTS)
        state = {
            "finished_epochs": self._finished,
            "random_states": [v.numpy().tolist() for v in _random_states(self.model)],
            "shapes": _shapes(self.model),
        }
        write_file(temporary / STATE, json.dumps(state))
        _flush(temporary / WEIGHTS)
        old = self._checkpoints()
        os.replace(temporary, self.directory / f"epoch-{self._finished}")
        flush_folder(self.directory)  # Before the others go.
        for folder in old:
            shutil.rmtree(folder)

    def _variables(self):
        optimizer = getattr(self.model, "optimizer", None)
        return [*self.model.weights, *(optimizer.variables if optimizer else [])]

    def _restore(self, checkpoint):
        try:
            state = json.loads((checkpoint / STATE).read_text())
            self._check_shapes(state["shapes"])
            self.model.load_weights(checkpoint / WEIGHTS)
            for variable, value in zip(
                _random_states(self.model), state["random_states"], strict=True
            ):
                variable.assign(value)
            check_finite(self._variables(), f"the checkpoint {checkpoint}")
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(
                f"Expected the checkpoint {str(checkpoint)!r} to be whole, and of this model: the "
                "same backbone, objective, optimizer and number of images. Nothing was changed "
                "there; to start afresh, pass another `directory` (to `pretrain`, another `out`, "
                f"or `fresh`). Received: {error}"
            ) from error
        self._finished = self._saved = state["finished_epochs"]
        # As keras.callbacks.BackupAndRestore does; `fit` reads it right after.
        self.model._initial_epoch = self._finished

    def _check_shapes(self, saved):
        """Compares before anything is loaded, so that the model is not left half changed."""
        for kind, shapes in _shapes(self.model).items():
            if shapes != saved[kind]:
                raise ValueError(
                    f"{len(saved[kind])} variables of the {kind} saved, {len(shapes)} here, or of "
                    "other shapes"
                )


def _shapes(model):
    optimizer = getattr(model, "optimizer", None)
    variables = {"model": model.weights, "optimizer": optimizer.variables if optimizer else []}
    return {kind: [list(v.shape) for v in group] for kind, group in variables.items()}


def _random_states(model):
    """States of the seed generators, which Keras doesn't save with the weights."""
    others = {id(v) for v in [*model.weights, *model.metrics_variables]}
    return [v for v in model.non_trainable_variables if id(v) not in others]


def _flush(file):
    """Waits until the bytes are on the disk: a rename may be there before them."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
