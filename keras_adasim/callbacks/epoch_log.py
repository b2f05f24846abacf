"""A table of all epochs, as CSV."""

import csv
import os
import pathlib

import keras

from keras_adasim.callbacks.chief import writes_files


class EpochLog(keras.callbacks.Callback):
    """Writes the logs of every epoch into a CSV file, one row each, across resumed runs.

    A run that starts at epoch e keeps the rows of the epochs before e and drops the others, so
    that epochs done again stand there once. A value that first appears in a later epoch gets a
    column too. The file is replaced as a whole after each epoch: it is never half written.

    Args:
        path: file to write. Its column `epoch` counts from 0, as Keras does.
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)
        self._rows = None

    def on_train_begin(self, logs=None):
        """Forgets the rows of an earlier `fit`; the file is read when the first epoch is known."""
        self._rows = None

    def on_epoch_begin(self, epoch, logs=None):
        """Reads the rows of the epochs before this one."""
        if self._rows is not None:
            return
        self._rows = []
        if self.path.is_file():
            with self.path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            self._rows = [row for row in rows if int(row["epoch"]) < epoch]

    def on_epoch_end(self, epoch, logs=None):
        """Adds the epoch's row."""
        self._rows.append({"epoch": epoch, **(logs or {})})
        if writes_files(self.model):
            self._write()

    def _write(self):
        columns = dict.fromkeys(name for row in self._rows for name in row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self._rows)
        os.replace(temporary, self.path)
