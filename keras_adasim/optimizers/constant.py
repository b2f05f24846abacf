"""A schedule that does not change."""

import keras
import numpy as np

from keras_adasim.optimizers.schedule import Schedule


@keras.saving.register_keras_serializable(package="keras_adasim")
class Constant(Schedule):
    """The same value at every step.

    Args:
        value: The value.
    """

    def __init__(self, value):
        self.value = float(value)

    def evaluate(self, step, math):
        """Returns `value` in the shape of `step`."""
        return math.zeros_like(step) + np.float64(self.value)

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {"value": self.value}
