"""DINO's schedule of the teacher temperature."""

import keras

from keras_adasim.optimizers.schedule import Schedule


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
        - [DINO](https://github.com/facebookresearch/dino), `DINOLoss.teacher_temp_schedule`
    """

    def __init__(self, start, final, warmup_epochs, steps_per_epoch):
        if warmup_epochs < 0:
            raise ValueError(
                "Expected `warmup_epochs` to be a non-negative integer. "
                f"Received: warmup_epochs={warmup_epochs}"
            )
        if steps_per_epoch < 1:
            raise ValueError(
                "Expected `steps_per_epoch` to be a positive integer. "
                f"Received: steps_per_epoch={steps_per_epoch}"
            )
        self.start = float(start)
        self.final = float(final)
        self.warmup_epochs = int(warmup_epochs)
        self.steps_per_epoch = int(steps_per_epoch)

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
