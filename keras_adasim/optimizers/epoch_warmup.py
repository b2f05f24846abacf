"""DINO's schedule of the teacher temperature."""

import keras

from keras_adasim.optimizers.schedule import Schedule
from keras_adasim.validation import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class EpochWarmup(Schedule):
    """A value that moves from `start` to `final` epoch by epoch, and is constant within one.

    The first epoch has `start`, epoch `warmup_epochs - 1` and all later ones have `final`. A
    warm-up of a single epoch has `start` for that epoch.

    Args:
        start: Value in the first epoch.
        final: Value after the warm-up.
        warmup_epochs: Number of epochs of the warm-up; 0 for `final` throughout.
        steps_per_epoch: Number of steps in an epoch.

    Reference:
        `DINOLoss.teacher_temp_schedule` of the official DINO code.

    Example:
        ```python
        temperature = ka.optimizers.EpochWarmup(0.04, 0.07, warmup_epochs=4, steps_per_epoch=10)
        print(temperature(0), temperature(10), temperature(30))  # 0.04 0.05 0.07
        objective = ka.objectives.DINO(out_dim=32, teacher_temperature=temperature)
        ```
    """

    def __init__(self, start, final, warmup_epochs, steps_per_epoch):
        self.start = check_number("start", start)
        self.final = check_number("final", final)
        self.warmup_epochs = check_integer("warmup_epochs", warmup_epochs, minimum=0)
        self.steps_per_epoch = check_integer("steps_per_epoch", steps_per_epoch)

    def evaluate(self, step, math):
        """Returns the values at float64 steps."""
        epoch = math.floor(step / self.steps_per_epoch)
        rising = self.start + (self.final - self.start) * (epoch / max(self.warmup_epochs - 1, 1))
        return math.where(epoch < self.warmup_epochs, rising, math.zeros_like(rising) + self.final)

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {
            "start": self.start,
            "final": self.final,
            "warmup_epochs": self.warmup_epochs,
            "steps_per_epoch": self.steps_per_epoch,
        }
