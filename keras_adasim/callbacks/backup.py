"""Checkpoints that a killed run continues from."""

import concurrent.futures
import contextlib
import functools
import zipfile

import keras

from keras_adasim.callbacks.chief import writes_files
from keras_adasim.checkpoints import (
    Checkpoint,
    CheckpointFolder,
    DamagedError,
    ShardsOfWorkers,
    TrainingState,
    told,
)
from keras_adasim.data.inventory import Inventory
from keras_adasim.files import check_space, expand, free_space
from keras_adasim.finite import NotFiniteError
from keras_adasim.validation import check_has, check_integer, check_switch

# Bytes of a state whose checkpoint another thread finishes.
LARGE_STATE = 2**28
# The group of the inventory.
IMAGES = "images"
# What an epoch is worth, by the first of these that is logged: the more the better.
SCORES = ("knn_top1", "rank_me")


class Backup(keras.callbacks.Callback):
    """Saves the whole training state, and lets `fit` continue from it.

    A checkpoint holds all that decides what comes next: the model's weights and other state
    (of a `SelfDistillation` student, teacher, heads, center, bank and window), the optimizer,
    random states, and the number of finished epochs. When `fit` starts and the directory has a
    checkpoint, the newest whole one is restored and `fit` goes on from there.

    Each checkpoint is a folder `epoch-N`, written under another name and then renamed, with the
    checksums of its files. The last `keep` stay, and so does the best one by `knn_top1`, else
    `rank_me`, where these are logged and no sign of a collapse is. A damaged one is named, and the
    one before it taken. If one can't be written, because the disk is full, say, that is printed,
    and training goes on; only after the last epoch is it an error.

    Training waits until the state is copied into files; of a large one (256 MB) that these are on
    the disk, and whole, is seen to in another thread, one checkpoint at a time. A bank above 256 MB
    is copied there too, as it was: steps keep the rows that they overwrite meanwhile. If the
    process is killed, the checkpoint before stands.

    A `SelfDistillation` is saved within epochs too: every `every_steps` steps, and by
    `save_within_epoch`, as `epoch-N-step-S`. Such an epoch goes on at that step; Keras counts it
    from its first step all the same, so that other callbacks see the steps before it pass by.

    The model must be built, and keep its shape. Put it after callbacks that change the model's
    state, or log. With several processes the chief writes and all read; of a sharded bank each
    process writes what it owns. A run goes on with any other number of devices and processes.

    Args:
        directory: Folder of the checkpoints, of this run only; `~` is the home folder.
        every: Epochs between two checkpoints; the last epoch is always saved.
        every_steps: Steps between two checkpoints within an epoch; None saves none.
        keep: Number of the newest checkpoints that stay.
        stateful: Callbacks whose state belongs to it: `get_state` returns a dict of arrays, and
            `set_state` takes it back.
        images: The `Inventory` of the training images. With it a checkpoint is of these images, and
            is gone on from with others, too: rows of bank and pairing go with their images, an
            epoch that was begun begins again, and the optimizer has done as many epochs.
        accept_changes: Whether to go on even if more than half of the images are gone.

    Raises:
        ValueError: If a number isn't a positive integer; in `fit`, if a checkpoint there is not
            this model's, none is whole, or more than half of its images are gone.
        NotFiniteError: In `fit`, instead of a checkpoint of NaN; the last one stays.
        OSError: At the end of `fit`, if the last epoch can't be saved.

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

    def __init__(
        self,
        directory,
        every=1,
        every_steps=None,
        keep=2,
        stateful=(),
        images=None,
        accept_changes=False,
    ):
        super().__init__()
        self.every = check_integer("every", every)
        if every_steps is not None:
            check_integer("every_steps", every_steps)
        self.every_steps = every_steps
        if images is not None:
            check_has("images", images, "an `Inventory`", "changes_since")
        self.images = images
        self.accept_changes = check_switch("accept_changes", accept_changes)
        directory = expand(directory, "directory")
        self.checkpoints = CheckpointFolder(directory, check_integer("keep", keep))
        if not isinstance(stateful, list | tuple):
            raise ValueError(
                f"Expected `stateful` to be a list of callbacks. Received: stateful={stateful!r}"
            )
        for each in stateful:
            check_has("stateful", each, "callbacks with a state", "get_state")
        self.stateful = list(stateful)
        self._writing = None  # What stood before it, and the `Future` of the one being written.
        self._forget()

    @property
    def directory(self):
        """Folder of the checkpoints."""
        return self.checkpoints.path

    @property
    def saved(self):
        """Finished epochs, and steps since, of the newest checkpoint; (0, 0) without one."""
        return self._last.place if self._last else (0, 0)

    def changes(self):
        """What has become of the images since the newest checkpoint: `Changes`, or None.

        Raises:
            ValueError: If more than half of them are gone, and nobody insists.
        """
        newest = self.checkpoints.newest()
        try:
            return None if newest is None else self._changes_since(newest)
        except DamagedError:  # To be named when it is restored.
            return None

    def wait(self):
        """Waits for a checkpoint that another thread still writes.

        Raises:
            OSError: If it couldn't be written. The one before stays.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            before, future = writing
            try:
                future.result()
            except (OSError, NotFiniteError):
                self._last, self._follows, self._knows_images = before
                raise

    def on_train_begin(self, logs=None):
        """Restores the newest checkpoint, if there is one."""
        self._settle()
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        if writes_files(self.model):
            self.checkpoints.remove_leftovers()
        if TrainingState(self.model).is_spread:
            self._shards().remove_leftovers()
        self._forget()
        self._restore_newest()
        if self._last is not None and writes_files(self.model):
            print(f"continuing after {self._last.told}, from {self._last.path}", flush=True)

    def on_epoch_begin(self, epoch, logs=None):
        """Takes back what told `fit` where to begin, or a later `fit` would begin there too."""
        self.model._initial_epoch = None
        self._finished, self._step = epoch, getattr(self.model, "first_step", 0)

    def after_step(self):
        """Counts, and saves within the epoch if it is time: called by the training loop."""
        at_once = self.model.steps_per_execution
        self._step += at_once
        is_due = self.every_steps is not None and self._step % self.every_steps < at_once
        if is_due and self._step < self.params["steps"]:
            self.model.finite_watch.look(wait=True)
            self._try_to_save()

    def on_epoch_end(self, epoch, logs=None):
        """Saves, if it is time."""
        self._finished, self._step = epoch + 1, 0
        logs = {} if logs is None or logs.get("collapse_signs") else logs
        self._score = next((logs[name] for name in SCORES if name in logs), None)
        if self._finished % self.every == 0:
            self._try_to_save()

    def on_train_end(self, logs=None):
        """Saves the last epoch, and waits for it."""
        self.model._initial_epoch = None
        self._settle()
        if (self._finished, 0) > self.saved:
            self._save()
            self.wait()

    def save_within_epoch(self):
        """Saves the running epoch of a `SelfDistillation` after the step that was just done."""
        self.model.finite_watch.look(wait=True)
        self._try_to_save()
        self._settle()

    def restore(self, model, checkpoint=None):
        """Loads the newest checkpoint, or another one, into a model, without training it.

        Args:
            model: Model of the same shape as the one that was saved.
            checkpoint: A `Checkpoint` of the directory.

        Returns:
            Number of finished epochs; 0 if there is no checkpoint.
        """
        self.set_model(model)
        self._settle()
        self._forget()
        if checkpoint is None:
            self._restore_newest()
        else:
            checkpoint.check()
            self._restore(checkpoint)
        model._initial_epoch = None
        return self._finished

    def _forget(self):
        self._last = self._score = None
        # Whether the last checkpoint is of other images; whether it has the images there are.
        self._follows = self._knows_images = False
        self._finished = self._step = 0

    def _try_to_save(self):
        self._settle()
        self._or_warn(self._save, (self._finished, self._step))

    def _settle(self):
        """Waits for the checkpoint that is being written, and warns if it couldn't be."""
        self._or_warn(self.wait, self.saved)

    def _or_warn(self, save, place):
        try:
            save()
        except OSError as error:
            needed = TrainingState(self.model).bytes() / 1e6
            free = free_space(self.directory) / 1e6
            stays = f"the last one, after {self._last.told}, stays" if self._last else "none is yet"
            if not writes_files(self.model):
                return
            print(
                f"\nwarning: no checkpoint after {told(*place)} in "
                f"{self.directory}, which takes {needed:.1f} MB where {free:.1f} MB are free: "
                f"{error}. Training goes on; {stays}.",
                flush=True,
            )

    def _save(self):
        state = TrainingState(self.model)
        what = f"{told(self._finished, self._step)}, which was not saved"
        # Of a bank that is written behind the back of training every part is looked at then.
        state.check_finite(what, and_bank=state.is_spread or not state.writes_later)
        if state.is_spread:
            shards = self._shards()
            others = shards.written(state.shards())
            shards.finished(lambda: self._write(state, others)())
        elif writes_files(self.model):
            finish = self._write(state)
            if state.bytes() >= LARGE_STATE:
                self._finish_in_background(finish, state)
            else:
                finish()
        else:
            return
        self._last = Checkpoint(self.directory / Checkpoint.name(self._finished, self._step))
        self._follows, self._knows_images = False, self.images is not None

    def _finish_in_background(self, finish, state):
        thread, earlier_rows = concurrent.futures.ThreadPoolExecutor(1), contextlib.ExitStack()
        earlier_rows.enter_context(state.earlier_rows())

        def work():
            with earlier_rows:
                finish()

        self._writing = (self._last, self._follows, self._knows_images), thread.submit(work)
        thread.shutdown(wait=False)

    def _shards(self):
        return ShardsOfWorkers(self.model.distribute_strategy, self.directory)

    def _write(self, state, others=()):
        """Copies the state into files; returns the function that makes them a checkpoint."""
        check_space(self.directory, state.bytes(), "a checkpoint")
        facts = {
            "finished_epochs": self._finished,
            "step": self._step,
            "score": None if self._step or self._score is None else float(self._score),
            **state.facts(),
        }
        if self.images is not None:
            facts["images"] = len(self.images.keys)
        groups = state.groups(within_epoch=self._step > 0)
        groups |= {type(each).__name__: each.get_state().items for each in self.stateful}
        if self.images is not None:
            groups[IMAGES] = lambda: self.images.to_arrays().items()
        write = functools.partial(
            Checkpoint.write,
            groups=groups,
            windows=state.windows(),
            facts=facts,
            earlier=None if self._follows else self._last,
            same=(IMAGES,) if self._knows_images else (),
            others=others,
        )
        return self.checkpoints.add(self._finished, self._step, write)

    def _restore_newest(self):
        """Restores the newest checkpoint that is whole; names those that aren't."""
        damaged = []
        for checkpoint in reversed(self.checkpoints.all()):
            try:
                checkpoint.check()
                self._restore(checkpoint)
                return
            except (DamagedError, NotFiniteError) as error:
                damaged.append(f"{checkpoint.path.name}: {error}")
                print(f"warning: the checkpoint {checkpoint.path} is damaged: {error}", flush=True)
        if damaged:
            raise ValueError(
                f"Expected a whole checkpoint in {self.directory}. Received: {'; '.join(damaged)}. "
                "Nothing was changed there; to start afresh, pass another `directory` (to "
                "`pretrain`, another `out`, or `fresh`)."
            )

    def _restore(self, checkpoint):
        state, changes = TrainingState(self.model), self._changes_since(checkpoint)
        try:
            means = state.restore(checkpoint, changes.previous if changes else None)
        except ValueError as error:
            raise ValueError(
                f"Expected the checkpoint {str(checkpoint.path)!r} to be of this model: the same "
                "backbone, objective, optimizer and number of images. Nothing was changed there; "
                "to start afresh, pass another `directory` (to `pretrain`, another `out`, or "
                f"`fresh`). Received: {error}"
            ) from error
        state.check_finite(f"the checkpoint {checkpoint.path}")
        self._last, (self._finished, self._step) = checkpoint, checkpoint.place
        # As keras.callbacks.BackupAndRestore does; `fit` reads it right after.
        self.model._initial_epoch = self._finished
        if changes:
            self._begin_with_others(changes)
            return
        for each in self.stateful:
            each.set_state(dict(checkpoint.group(type(each).__name__)))
        if self._step:
            self.model.resume_within_epoch(self._step, means)

    def _changes_since(self, checkpoint):
        """What has become of the images of a checkpoint, or None if that isn't known."""
        if self.images is None or IMAGES not in checkpoint.groups():
            return None
        try:
            before = Inventory.from_arrays(dict(checkpoint.group(IMAGES)))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DamagedError(f"{IMAGES}.npz ({error})") from error
        changes = self.images.changes_since(before)
        changes.check(self.accept_changes)
        return changes

    def _begin_with_others(self, changes):
        """The epoch begins again, and the schedules stand where so many epochs bring them."""
        if writes_files(self.model):
            print(f"the images: {changes}; what is known of the others goes with them", flush=True)
        self._follows, self._step = True, 0
        steps = (self.params or {}).get("steps")
        if steps:
            self.model.optimizer.iterations.assign(self._finished * steps)
