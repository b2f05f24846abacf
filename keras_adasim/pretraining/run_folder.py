"""A run on disk: what it was started with, and what it leaves."""

import contextlib
import json
import os
import re
import shutil
import traceback

from keras_adasim import workers
from keras_adasim.checkpoints import CheckpointFolder, told
from keras_adasim.files import expand, write_file
from keras_adasim.pretraining.run_lock import RunLock

FORMAT = 2
# What a run's settings.json has.
KEPT = {"format", "images", "fingerprint", "augment", "settings"}


class RunFolder:
    """The folder of one run, which may be moved and renamed.

    Args:
        path: The folder; it need not exist.

    Attributes:
        path: The folder as a `pathlib.Path`.
        checkpoints: Folder of the checkpoints.
        window: Folder of this process' records of the window, where memory is too small for them.
        saved_model: Folder of the exported teacher.
        result: File of what came out.
        log: Table of all epochs.
        tensorboard: Folder of TensorBoard's events.
        traceback: File of the last failure.
        lock: The `RunLock` that keeps other processes out.
        looks: Folder of what the first look has seen, and of the listings of folders.
        bad_images: File of the images that can't be read, by key.
        report: The page, an HTML file.
    """

    def __init__(self, path):
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise ValueError(f"Expected `out` to be a folder's name. Received: out={path!r}")
        self.path = expand(path, "out")
        self.checkpoints = self.path / "checkpoints"
        self.window = self.path / f"window{workers.cluster()[1] or ''}"
        self.saved_model = self.path / "saved_model"
        self.result = self.path / "result.json"
        self.log = self.path / "log.csv"
        self.tensorboard = self.path / "tensorboard"
        self.traceback = self.path / f"traceback{workers.cluster()[1] or ''}.txt"
        self.lock = RunLock(self.path / ".run.lock")
        self.bad_images = self.path / "bad_images.json"
        self.looks = self.path / "looks"
        self._settings = self.path / "settings.json"
        self._start = self.path / "start.json"
        self._plan = self.path / "plan.json"
        self.report = self.path / "report.html"
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(
                f"Expected `out` to be a folder, or a new name. Received: out={self.path}, a file"
            )

    @property
    def place(self):
        """Finished epochs, and steps since, of the newest checkpoint; (0, 0) without one."""
        newest = CheckpointFolder(self.checkpoints).newest()
        return newest.place if newest else (0, 0)

    @property
    def finished_epochs(self):
        """Epochs that the newest checkpoint has behind it; 0 without one."""
        return self.place[0]

    @property
    def told(self):
        """Where the run stands, in words."""
        return told(*self.place)

    def recall(self):
        """Returns what the run was started with, or None if it never got anywhere.

        A run without a checkpoint has nothing to go on from, and so is begun again.

        Raises:
            ValueError: If the run is of a version that can't be continued, or its file is damaged.
        """
        if not any(self.place):
            return None
        try:
            content = json.loads(self._settings.read_text())
            if content["format"] == FORMAT and set(content) >= KEPT:
                return content
            received = f"format {content['format']}"
        except FileNotFoundError:
            received = "no settings.json"
        except (ValueError, KeyError, TypeError):
            received = "a settings.json of another version of keras_adasim, or a damaged one"
        raise ValueError(
            f"Expected {self.path} to be a run of this version of keras_adasim. Received: "
            f"{received}. Continue it with the version that started it, choose another `out`, or "
            "pass `fresh`, which keeps it under another name."
        )

    def check(self, earlier, augment, epochs, writes=True):
        """Raises an error if a run can't be begun here, or can't go on with what it gets now.

        Args:
            earlier: What `recall` returned.
            augment: Name of the user's own augmentation, or None.
            epochs: Epochs that are wanted in all, or None.
            writes: Whether this process is the one that writes there.

        Raises:
            ValueError: If the folder is not a run's, was started with something else, or is held
                by another process.
            OSError: If nothing can be written there.
        """
        if writes:
            self._check_place()
            self.lock.check()
        if earlier and earlier["augment"] != augment:
            raise ValueError(
                f"Expected `augment` to be {earlier['augment']}, with which the run in {self.path} "
                f"was started. Received: augment={augment}. Pass what it was started with, choose "
                "another `out`, or start anew with `fresh`."
            )
        begun = self.finished_epochs + (self.place[1] > 0)
        if earlier and epochs is not None and epochs < begun:
            raise ValueError(
                f"Expected `epochs` of at least {begun}, as many as the run in "
                f"{self.path} has begun. Received: epochs={epochs}. Leave it out, or start "
                "anew with `fresh`."
            )

    def _check_place(self):
        if self.path.is_dir() and not self._settings.exists():
            # A worker whose chief dies before it wrote anything leaves its traceback alone.
            names = sorted(path.name for path in self.path.iterdir())
            others = [name for name in names if not re.match(r"\.|traceback\d*\.txt$", name)]
            if others:
                raise ValueError(
                    f"Expected `out` to be a new or empty folder, or that of a run. Received: "
                    f"out={self.path}, which holds other files ({', '.join(others[:3])})."
                )
        above = next(p for p in (self.path, *self.path.absolute().parents) if p.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise OSError(
                f"Expected `out` in a folder that can be written. Received: out={self.path}, "
                f"below {above}"
            )

    def begin(self, settings, facts, plan):
        """Writes down what a run is started or goes on with.

        Args:
            settings: Dict.
            facts: Dict of number and fingerprint of the images, and the user's own augmentation.
            plan: Dict of what is planned, and why the settings are what they are.
        """
        if not any(self.place):
            # What an earlier start measured belongs to other weights.
            for file in (self._start, self.result, self.log, self.report, self._plan):
                file.unlink(missing_ok=True)
            shutil.rmtree(self.tensorboard, ignore_errors=True)
        earlier = self.written("plan")
        given = dict.fromkeys([*earlier.get("given", []), *plan["given"]])
        reasons = {**plan["reasons"], **earlier.get("reasons", {})}
        write_json(self._settings, {"format": FORMAT, **facts, "settings": settings})
        write_json(self._plan, {**plan, "given": list(given), "reasons": reasons})
        self.traceback.unlink(missing_ok=True)

    def written(self, name):
        """What a file of the run says, such as "settings", "plan", "start" or "result".

        Returns:
            Dict, empty if there is no such file, or a damaged one.
        """
        try:
            content = json.loads((self.path / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def set_aside(self):
        """Renames an earlier run, so that its name is free; returns the new path, or None."""
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return None
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.before-{number}")).exists():
            number += 1
        return self.path.resolve().rename(kept.absolute())

    def measured_at_start(self, measure):
        """Returns what `measure()` gives before the first step, which is measured once."""
        if not self._start.exists():
            write_json(self._start, measure())
        return json.loads(self._start.read_text())

    @contextlib.contextmanager
    def held(self, locks=True):
        """Keeps other processes out, and leaves the traceback of what goes wrong in a file.

        The error then names that. Gives a function that raises RuntimeError if another process has
        taken the run over, because this one was frozen.

        Args:
            locks: Whether this process holds it; of several workers the chief does, for all.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with self.lock.held() if locks else contextlib.nullcontext() as check_held:
                yield check_held
        except Exception as error:
            with contextlib.suppress(OSError):
                write_file(self.traceback, traceback.format_exc())
                error.add_note(f"The traceback is in {self.traceback}")
            raise


def write_json(path, content):
    """Writes a dict as a JSON file."""
    write_file(path, json.dumps(content, indent=2) + "\n")
