"""A collapse, told while there is something left to save."""

import dataclasses
import math
import sys

import keras

from keras_adasim.callbacks.chief import writes_files
from keras_adasim.callbacks.epoch_log import rows_before
from keras_adasim.files import expand
from keras_adasim.objectives.symptom import Symptom
from keras_adasim.validation import check_choice, check_integer, check_number

# Of features; 1 is healthy, and untrained backbones in training mode had 0.3 to 0.9.
SMALLEST_STD = 0.05
SMALLEST_RANK = 1.5
# Of the rank at the start, which healthy training may halve before it grows.
RANK_SHARE = 0.25
STANDARD_ERRORS = 3.0
MEND = "Try a lower `learning_rate`, a longer warm-up or a larger `batch_size`"
NO_PARTNERS = "`pairing=self` shows whether partners do harm"


class CollapseError(RuntimeError):
    """Training has collapsed, and was to stop then.

    Example:
        ```python
        try:
            raise ka.CollapseError("Expected outputs that tell images apart. Received: ...")
        except ka.CollapseError as error:
            print(error)
        ```
    """


class CollapseAlarm(keras.callbacks.Callback):
    """Warns, or stops, if a `SelfDistillation` collapses.

    It looks for what the objective calls its `symptoms`, and for features

    - that don't differ between images: `feature_std` at 0 or `rank_me` near 1;
    - of less than a quarter of the rank, or a k-NN accuracy more than three standard errors below
      that, of the network that training began with.

    A symptom must show in `patience` of its measurements in a row, after the first `grace` epochs.
    Then it is printed in one line, once, with the likely cause, what to try, and the last epoch in
    which nothing showed. While some show, their number is in the logs, as `collapse_signs`. Where
    it is to stop, it does so before the next epoch, once this one is logged.

    Put it after the callbacks that measure, and before those that log and save.

    Args:
        on_collapse: "warn", or "stop", which ends `fit`, and a `fit` that goes on from there.
        grace: Number of first epochs that are not judged, such as those of a warm-up.
        patience: Measurements in a row in which a symptom must show.
        start: Dict of `rank_me` and `knn_top1` of the network before the first step, as far as
            they are known.
        knn_images: Number of images that `knn_top1` is the accuracy of; None without one.
        log: File of an `EpochLog`, which tells a resumed run its earlier epochs; or None.
        checkpoints: Folder of a `Backup`, to name its last good checkpoint; or None.

    Raises:
        ValueError: If an argument is out of range.
        CollapseError: In `fit`, with `on_collapse="stop"`.

    Reference:
        - Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021,
          section 5.3, on outputs that are uniform or one-hot.
        - Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021, figure 2.

    Example:
        ```python
        dataset = ka.data.PairDataset(
            ka.data.ArraySource(np.zeros((8, 8, 8, 3), "uint8")), ka.pairing.SelfPairing(), 4
        )
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=16, depth=1, num_heads=2)
        objective = ka.objectives.SimSiam(8, 8, predictor_hidden_dim=4)
        model = ka.SelfDistillation(backbone, objective, dataset.pairing)
        model.compile(ka.optimizers.SGD(0.05))
        alarm = ka.callbacks.CollapseAlarm(patience=2)
        model.fit(dataset, epochs=3, callbacks=[alarm], verbose=0)
        ```
    """

    def __init__(
        self,
        on_collapse="warn",
        grace=1,
        patience=3,
        start=None,
        knn_images=None,
        log=None,
        checkpoints=None,
    ):
        super().__init__()
        self.on_collapse = check_choice("on_collapse", on_collapse, ("warn", "stop"))
        self.grace = check_integer("grace", grace, minimum=0)
        self.patience = check_integer("patience", patience)
        self.start = _checked_start({} if start is None else start)
        self.knn_images = None if knn_images is None else check_integer("knn_images", knn_images)
        self.log = None if log is None else expand(log, "log")
        self.checkpoints = None if checkpoints is None else expand(checkpoints, "checkpoints")
        self._forget()

    def on_train_begin(self, logs=None):
        """Forgets an earlier `fit`; the log is read when the first epoch is known."""
        self._forget()

    def on_epoch_begin(self, epoch, logs=None):
        """Judges the epochs before a run was resumed.

        Raises:
            CollapseError: If it is to stop.
        """
        self._stop_if_sure(epoch)

    def on_epoch_end(self, epoch, logs=None):
        """Judges the epoch; warns of what is sure by now."""
        logs = {} if logs is None else logs
        self._judge(epoch + 1, logs, int(self.model.optimizer.iterations.numpy()))
        if showing := self._showing():
            logs["collapse_signs"] = len(showing)
        untold = [name for name in self._showing(sure=True) if name not in self._told]
        self._told.update(untold)
        if self.on_collapse == "warn" and writes_files(self.model):
            line_end = "\n" if sys.stdout.isatty() else ""  # Of the line with the progress.
            for name in untold:
                print(f"{line_end}warning: {self._text(name)}", flush=True)

    def on_train_end(self, logs=None):
        """Stops if the last epoch made it sure.

        Raises:
            CollapseError: If it is to stop.
        """
        self._stop_if_sure(math.inf)

    @property
    def found(self):
        """Dict of every collapse that was sure, by name, to the epoch (from 1) that it began in."""
        if self._courses is None:  # Nothing was left to train.
            self._recall(math.inf)
        courses = self._courses.items()
        return {name: course.sure_since for name, course in courses if course.sure_since}

    def symptoms(self):
        """List of every `Symptom` that is looked for: the objective's own, and of features."""
        same = "all images have about the same features"
        found = [
            *self.model.objective.symptoms(),
            Symptom("constant features", {"feature_std": (0.0, SMALLEST_STD)}, same, MEND),
            Symptom("one-dimensional features", {"rank_me": (0.0, SMALLEST_RANK)}, same, MEND),
        ]
        rank, accuracy = self.start.get("rank_me"), self.start.get("knn_top1")
        if rank is not None:
            cause = f"features lost more than three quarters of their rank at the start, {rank:.1f}"
            bounds = {"rank_me": (0.0, RANK_SHARE * rank)}
            found.append(Symptom("lost rank", bounds, cause, f"{MEND}; {NO_PARTNERS}"))
        if accuracy is not None and self.knn_images:
            cause = f"the features are worse than at the start, where k-NN had {accuracy:.3f}"
            error = math.sqrt(accuracy * (1 - accuracy) / self.knn_images)
            bounds = {"knn_top1": (0.0, accuracy - STANDARD_ERRORS * error)}
            found.append(Symptom("lost neighbors", bounds, cause, f"{MEND}; {NO_PARTNERS}"))
        return found

    def _forget(self):
        # Of each name the course, and the symptom that showed last with what was measured.
        self._courses, self._shown, self._told = None, {}, set()

    def _recall(self, epoch):
        """Goes through the log's epochs before this one."""
        self._courses = {}
        rows = [] if self.log is None else rows_before(self.log, epoch)
        steps = int(self.model.optimizer.iterations.numpy())
        for row in rows:
            share = (int(row["epoch"]) + 1) / (int(rows[-1]["epoch"]) + 1)
            self._judge(int(row["epoch"]) + 1, _numbers(row), share * steps)

    def _judge(self, epoch, logs, steps):
        """Adds an epoch (from 1) to the courses."""
        shown, well = {}, []
        for symptom in self.symptoms():
            shows = symptom.shows(logs)
            if shows and epoch > self.grace and steps > symptom.first_step:
                shown[symptom.name] = symptom, {name: logs[name] for name in symptom.bounds}
            elif shows is False:
                well.append(symptom.name)
        self._shown |= shown
        for name in dict.fromkeys([*shown, *well]):
            course = self._courses.setdefault(name, _Course())
            course.add(epoch, name in shown, self.patience)

    def _showing(self, sure=False):
        """Names of what showed when it was last measured."""
        courses = self._courses.items()
        return [n for n, course in courses if course.since and (course.sure_since or not sure)]

    def _stop_if_sure(self, epoch):
        if self._courses is None:
            self._recall(epoch)
        for name in self._showing(sure=True) if self.on_collapse == "stop" else ():
            raise CollapseError(
                f"Expected features that tell images apart. Received: {self._text(name)}"
            )

    def _text(self, name):
        symptom, measured = self._shown[name]
        values = ", ".join(f"{each} {value:.4g}" for each, value in measured.items())
        last = min(self._courses[each].last_well for each in self._showing())
        return (
            f"{name} since epoch {self._courses[name].since} ({values}): {symptom.cause}. "
            f"{symptom.mend}. {self._last_good(last)}"
        )

    def _last_good(self, epoch):
        if not epoch:
            return "No epoch was without a sign of it: start anew"
        text = f"Epoch {epoch} was the last without a sign"
        if self.checkpoints is None:
            return text
        numbers = [f.name.removeprefix("epoch-") for f in self.checkpoints.glob("epoch-*")]
        good = [int(number) for number in numbers if number.isdigit() and int(number) <= epoch]
        if not good:
            return f"{text}; no checkpoint of that time is left, so start anew"
        return f"{text}; the checkpoint {self.checkpoints / f'epoch-{max(good)}'} is still good"


def _checked_start(start):
    if not isinstance(start, dict):
        raise ValueError(f"Expected `start` to be a dict of measures. Received: start={start!r}")
    return {n: check_number("start", value) for n, value in start.items() if value is not None}


@dataclasses.dataclass
class _Course:
    """How a symptom went, in epochs from 1; 0 is none yet."""

    last_well: int = 0
    since: int = 0
    times: int = 0
    sure_since: int = 0

    def add(self, epoch, shows, patience):
        """Adds a measurement."""
        if not shows:
            self.last_well, self.since, self.times = epoch, 0, 0
            return
        self.since = self.since or epoch
        self.times += 1
        if self.times >= patience:
            self.sure_since = self.sure_since or self.since


def _numbers(row):
    """The numbers of a row of a CSV file; cells may be empty."""
    found = {}
    for name, cell in row.items():
        try:
            found[name] = float(cell)
        except (TypeError, ValueError):
            continue
    return found
