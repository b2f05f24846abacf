"""A table of all epochs, as CSV."""

import csv
import io

import keras

from keras_adasim.callbacks.chief import writes_files
from keras_adasim.files import expand, write_file
from keras_adasim.validation import check_has


class EpochLog(keras.callbacks.Callback):
    """Writes the logs of every epoch into a CSV file, one row each, across resumed runs.

    A run that starts at epoch e keeps the rows of the epochs before e and drops the others, so
    that epochs done again stand there once. A value that first appears in a later epoch gets a
    column too. The file is replaced as a whole after each epoch: it is never half written. If it
    can't be, because the disk is full, say, that is printed, and tried again after the next epoch.

    Args:
        path: File to write; `~` is the home folder. Its column `epoch` counts from 0, as Keras
            does.
        progress: A `Progress` of the same `fit`, whose `images_per_second` is written too, or None.

    Example:
        ```python
        import tempfile

        log = ka.callbacks.EpochLog(f"{tempfile.mkdtemp()}/log.csv")
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((8, 4)), np.ones((8, 1)), epochs=2, callbacks=[log], verbose=0)
        ```
    """

    def __init__(self, path, progress=None):
        super().__init__()
        self.path = expand(path)
        if progress is not None:
            check_has("progress", progress, "a `Progress`", "images_per_second")
        self.progress = progress
        self._rows = None

    def on_train_begin(self, logs=None):
        """Forgets the rows of an earlier `fit`; the file is read when the first epoch is known."""
        self._rows = None

    def on_epoch_begin(self, epoch, logs=None):
        """Reads the rows of the epochs before this one."""
        if self._rows is not None:
            return
        self._rows = rows_before(self.path, epoch)

    def on_epoch_end(self, epoch, logs=None):
        """Adds the epoch's row."""
        row = {"epoch": epoch, **(logs or {})}
        if self.progress is not None:
            row["images_per_second"] = self.progress.images_per_second
        self._rows.append(row)
        if writes_files(self.model):
            try:
                self._write()
            except OSError as error:
                print(f"\nwarning: {self.path} was not written: {error}", flush=True)

    def _write(self):
        columns = dict.fromkeys(name for row in self._rows for name in row)
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(self._rows)
        write_file(self.path, file.getvalue())


def rows_before(path, epoch):
    """The rows of a log, as dicts of strings, of the epochs before one; none without a file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["epoch"]) < epoch]
