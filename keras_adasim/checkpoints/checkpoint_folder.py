"""The checkpoints of a run: the newest whole one, and which are kept."""

import os
import shutil

from keras_adasim.checkpoints.checkpoint import NAME, Checkpoint
from keras_adasim.files import expand, flush_folder


class CheckpointFolder:
    """A folder of checkpoints, of one run.

    A new one is written under another name and then renamed; older ones go only after that, so
    that a run that is killed at any moment finds a whole one.

    Args:
        path: The folder; it need not exist.
        keep: How many of the newest stay. The best one by its score stays besides.
    """

    def __init__(self, path, keep=2):
        self.path = expand(path)
        self.keep = keep

    def all(self):
        """All `Checkpoint`s, oldest first, whole or not."""
        if not self.path.is_dir():
            return []
        found = [Checkpoint(f) for f in self.path.iterdir() if NAME.fullmatch(f.name)]
        return sorted(found, key=lambda checkpoint: checkpoint.place)

    def newest(self):
        """The newest `Checkpoint` that looks whole, or None; one of another version does."""
        for checkpoint in reversed(self.all()):
            try:
                if checkpoint.looks_whole():
                    return checkpoint
            except ValueError:
                return checkpoint  # To be refused by name, not to be passed over.
        return None

    def best(self):
        """The `Checkpoint` with the highest score, or None."""
        return next(iter(_best([each for each in self.all() if each.looks_whole()])), None)

    def remove_leftovers(self):
        """Removes what a killed run left half written."""
        if self.path.is_dir():
            for folder in self.path.glob(".epoch-*"):
                shutil.rmtree(folder)

    def add(self, epochs, steps, write):
        """Begins to add a checkpoint, one at a time.

        Args:
            epochs: Finished epochs.
            steps: Steps since.
            write: `Checkpoint.write`, which is given the folder alone.

        Returns:
            Function that finishes it, removes those that are not kept, and returns the
            `Checkpoint`. It may be called in another thread.

        Raises:
            OSError: If it can't be written; also from that function. Nothing of it is left then,
                and the others stay.
        """
        name = Checkpoint.name(epochs, steps)
        temporary, path = self.path / f".{name}", self.path / name
        try:
            self.remove_leftovers()
            seal = write(temporary)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

        def finish():
            try:
                seal()
                if path.exists():  # Damaged, or the run took another turn since.
                    os.replace(path, self.path / f".{name}.old")
                os.replace(temporary, path)
                flush_folder(self.path)  # Before the others go.
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            self._remove_others(Checkpoint(path))
            return Checkpoint(path)

        return finish

    def _remove_others(self, newest):
        """All but the newest and the best; what is further on belongs to a turn that was left."""
        whole = [c for c in self.all() if c.place <= newest.place and c.looks_whole()]
        kept = {checkpoint.place for checkpoint in [*whole[-self.keep :], *_best(whole)]}
        for checkpoint in self.all():
            if checkpoint.place not in kept:  # Renamed first: a kill leaves no half of it.
                os.replace(checkpoint.path, self.path / f".{checkpoint.path.name}.old")
        self.remove_leftovers()


def _best(checkpoints):
    """The one with the highest score, the newest of equals; none if none has one."""
    scored = [checkpoint for checkpoint in reversed(checkpoints) if checkpoint.score is not None]
    return [max(scored, key=lambda checkpoint: checkpoint.score)] if scored else []
