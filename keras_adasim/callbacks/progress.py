"""Progress of a training run in a terminal or a log file."""

import shutil
import sys
import time

import keras

from keras_adasim.validation import check_integer, check_number

COLUMNS = 160  # Of the line of an epoch.
SPACE = "  "
# In the order in which they are looked for; others follow as they were logged.
TELLING = (
    "loss",
    "skipped_steps",
    "collapse_signs",
    "knn_top1",
    "probe_top1",
    "gate_open",
    "rank_me",
    "feature_std",
    "partner_purity",
    "neighbor_purity",
    "neighbor_churn",
    "effective_candidates",
    "uniformity",
    "alignment",
    "staleness",
    "alpha_req",
    "knn_top5",
    "partner_is_self",
)


class Progress(keras.callbacks.Callback):
    """Prints loss, images per second, and the time left for the epoch and the run.

    In a terminal one line is rewritten in place; in a file or pipe a line is added every
    `interval` seconds. Each epoch ends with a line of as many of its logs as 160 columns hold, the
    most telling ones first; the rest of the last epoch's follow at the end, and `EpochLog` keeps
    them all. The first step compiles, which takes a minute or more with XLA: that is said before
    it, and left out of the rate.

    Use it with `fit(verbose=0)`, last in the list of callbacks, so that it prints what the others
    log. Without `total_images` and `batch_size` it counts steps instead of images. The metrics of a
    running epoch are fetched from the device when they are printed, not after every step.

    Args:
        total_images: Images per epoch, or None.
        batch_size: Images per step, over all replicas, or None.
        stream: Where to print, an open text file; standard output by default.
        interval: Seconds between two lines of a file.

    Raises:
        ValueError: If a number isn't a positive integer, or `interval` is negative.

    Example:
        ```python
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        progress = ka.callbacks.Progress(total_images=8, batch_size=4)
        model.fit(np.ones((8, 4)), np.ones((8, 1)), batch_size=4, callbacks=[progress], verbose=0)
        ```
    """

    def __init__(self, total_images=None, batch_size=None, stream=None, interval=30.0):
        super().__init__()
        for name, value in (("total_images", total_images), ("batch_size", batch_size)):
            if value is not None:
                check_integer(name, value)
        check_number("interval", interval, minimum=0)
        self.total_images = total_images
        self.batch_size = batch_size
        self.interval = interval
        self._stream = stream
        self._steps = None
        self._timed_steps, self._timed_seconds, self._seconds_between = 0, 0.0, 0.0

    @property
    def images_per_second(self):
        """Images per second of all steps but the compiled first one, `None` if not known."""
        images = self.batch_size
        if images is None and self.total_images and self._steps:
            images = self.total_images / self._steps
        steps = self._steps_per_second
        return None if images is None or steps is None else steps * images

    @property
    def _steps_per_second(self):
        if not self._timed_steps or not self._timed_seconds:
            return None
        return self._timed_steps / self._timed_seconds

    def on_train_begin(self, logs=None):
        """Starts all clocks."""
        self._out = self._stream or sys.stdout
        self._terminal = self._out.isatty()
        self._epochs = self.params["epochs"]
        self._steps = self.params["steps"]
        self._begin = self._shown = self._mark = time.monotonic()
        self._compiled = False
        self._done = self._epochs_run = 0
        self._timed_steps, self._timed_seconds, self._seconds_between = 0, 0.0, 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Learns what an epoch costs beside its steps: evaluation, backup, logs."""
        now = time.monotonic()
        if self._epochs_run:
            self._seconds_between = now - self._mark
        self._epoch, self._mark, self._epoch_begin = epoch, now, now
        self._done = getattr(self.model, "first_step", 0)

    def on_train_batch_begin(self, batch, logs=None):
        """Measures the steps before, and says why the first one takes long."""
        self._measure(batch)
        if not self._compiled and batch == self._done:
            word = "compiling" if getattr(self.model, "jit_compile", False) else "tracing"
            self._print_line(f"{word} the training step, which may take a minute or two ...")
            self._mark = time.monotonic()

    def after_step(self):
        """Measures the step: called by the loop of a `SelfDistillation`.

        Had it a method `on_train_batch_end`, Keras would fetch every step's logs in between.
        """
        self._measure(self._done + getattr(self.model, "steps_per_execution", 1))

    def _measure(self, done):
        """Takes down that so many steps of the epoch are done, and prints if it is time."""
        if done <= self._done:  # Maybe before the checkpoint that the epoch goes on from.
            return
        now = time.monotonic()
        if self._compiled:
            self._timed_steps += done - self._done
            self._timed_seconds += now - self._mark
        else:
            self._compiled = True
            self._print_line(f"first step done after {_clock(now - self._mark)}")
        self._done, self._mark = done, now
        if now - self._shown >= (0.2 if self._terminal else self.interval):
            self._shown = now
            # Of several workers the metrics can only be read by all; logs are there already.
            logs = getattr(self.model, "last_logs", None) or self.model.get_metrics_result()
            self._print_status({name: float(value) for name, value in logs.items()})

    def on_epoch_end(self, epoch, logs=None):
        """Prints the epoch's logs."""
        self._steps = self._steps or self._done
        self._epochs_run += 1
        self._compiled = True
        now = time.monotonic()
        self._seconds_between = self._seconds_between or now - self._mark
        self._shown = now
        times = [*self._rate(), f"took {_clock(now - self._epoch_begin)}"]
        left = self._epochs - epoch - 1
        if left and self._steps_per_second:
            times.append(f"left {_clock(self._seconds_left(left * self._steps, left))}")
        line, self._left_out = _one_line([self._epoch_name()], _values(logs or {}), times)
        self._print_line(line)

    def on_train_end(self, logs=None):
        """Prints how long it took."""
        if self._epochs_run:
            while self._left_out:
                line, self._left_out = _one_line(["and at the end"], self._left_out)
                self._print_line(line)
            took = _clock(time.monotonic() - self._begin)
            self._print_line(f"trained {self._epochs_run} epochs in {took}")
        else:
            self._print_line(f"nothing left to train: all {self._epochs} epochs are done")

    def _print_status(self, logs):
        total = f"/{self._steps}" if self._steps else ""
        parts = [self._epoch_name(), f"step {self._done}{total}", *_values(logs), *self._rate()]
        if self._steps and self._steps_per_second:
            epochs = self._epochs - self._epoch - 1
            steps = self._steps - self._done
            parts.append(f"left {_clock(self._seconds_left(steps, 0))}")
            if epochs:
                whole = self._seconds_left(steps + epochs * self._steps, epochs)
                parts.append(f"of the run {_clock(whole)}")
        line = SPACE.join(parts)
        if self._terminal:
            # Without a line's end, so that the next one overwrites it; \x1b[K clears the rest.
            self._out.write(f"\r{line[: shutil.get_terminal_size().columns - 1]}\x1b[K")
            self._out.flush()
        else:
            self._print_line(line)

    def _print_line(self, line):
        self._out.write(f"\r{line}\x1b[K\n" if self._terminal else f"{line}\n")
        self._out.flush()

    def _epoch_name(self):
        return f"epoch {self._epoch + 1}/{self._epochs}"

    def _rate(self):
        if self._steps_per_second is None:
            return []
        if self.images_per_second is None:
            return [f"{self._steps_per_second:.3g} steps/s"]
        return [f"{self.images_per_second:.0f} images/s"]

    def _seconds_left(self, steps, epochs):
        return steps / self._steps_per_second + epochs * self._seconds_between


def _values(logs):
    """The most telling ones first, short; skipped steps only if there are any."""
    logs = {name: value for name, value in logs.items() if name != "skipped_steps" or value}
    places = {name: place for place, name in enumerate(TELLING)}
    names = sorted(logs, key=lambda name: places.get(name, len(TELLING)))
    return [f"{name} {logs[name]:.4g}" for name in names if isinstance(logs[name], int | float)]


def _one_line(begin, values, end=()):
    """A line with as many of the values as it holds, and the others."""
    count = len(values)
    while count > 1 and len(SPACE.join([*begin, *values[:count], *end])) > COLUMNS:
        count -= 1
    return SPACE.join([*begin, *values[:count], *end]), values[count:]


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
