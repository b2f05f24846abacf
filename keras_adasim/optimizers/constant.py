"""A schedule that does not change."""

import keras
import numpy as np

from keras_adasim.optimizers.schedule import Schedule
from keras_adasim.validation import check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class Constant(Schedule):
    """The same value at every step.

    Args:
        value: Value at every step.

    Example:
        ```python
        momentum = ka.optimizers.Constant(0.996)
        print(momentum(0), momentum(100))  # 0.996 0.996
        print(momentum(np.arange(3)))  # [0.996 0.996 0.996]
        ```
    """

    def __init__(self, value):
        self.value = check_number("value", value)

    def evaluate(self, step, math):
        """Returns `value` in the shape of `step`."""
        return math.zeros_like(step) + np.float64(self.value)

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {"value": self.value}
