"""Shards of a checkpoint whose owners are other processes than the one that writes the rest."""

import shutil

from keras_adasim.checkpoints.checkpoint import write_group
from keras_adasim.workers import told_by_all, told_by_chief


class ShardsOfWorkers:
    """Brings into a checkpoint what each of several workers writes by itself; all must call it.

    The others write into a folder beside the checkpoints, and tell the chief, which moves their
    files into the new checkpoint. So a checkpoint is written once all have written, or not at all.

    Args:
        strategy: The strategy they train with.
        folder: Folder of the checkpoints, which all of them share.
    """

    def __init__(self, strategy, folder):
        self.strategy = strategy
        self.folder = folder / ".shards"
        self.is_chief = strategy.extended.should_checkpoint

    def remove_leftovers(self):
        """Removes what killed workers left."""
        if self.is_chief:
            shutil.rmtree(self.folder, ignore_errors=True)

    def written(self, groups):
        """Writes this worker's shards, unless it is the chief, and hears of the others'.

        Args:
            groups: Dict of the groups' names to functions that yield names and arrays.

        Returns:
            List of the paths of all such files.

        Raises:
            OSError: In all workers, if one couldn't write.
        """
        mine = {"files": []}
        try:
            for group, arrays in ({} if self.is_chief else groups).items():
                self.folder.mkdir(parents=True, exist_ok=True)
                mine["files"] += write_group(self.folder, group, arrays())
        except OSError as error:
            mine["error"] = str(error)
        told = told_by_all(self.strategy, mine)
        check(*(each.get("error") for each in told))
        return [self.folder / name for each in told for name in each["files"]]

    def finished(self, write):
        """Lets the chief write the rest; the others wait for it.

        Args:
            write: Function without arguments.

        Raises:
            OSError: In all workers, if it couldn't.
        """

        def outcome():
            try:
                write()
            except OSError as error:
                return str(error)
            finally:
                self.remove_leftovers()
            return None

        check(told_by_chief(self.strategy, outcome))


def check(*errors):
    """Raises OSError if there are any that aren't None."""
    errors = [error for error in errors if error is not None]
    if errors:
        raise OSError("; ".join(errors))
