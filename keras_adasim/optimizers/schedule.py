"""The base class of all schedules."""

import keras
import numpy as np
import tensorflow as tf


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A hyper-parameter as a pure function of the optimizer's step.

    Unlike Keras' own schedules it is computed in float64 (float32 would lose most of
    1 - momentum), and gives NumPy numbers outside of TensorFlow.

    Subclasses implement `evaluate(step, math)`, written with functions that `numpy` and
    `tensorflow` have under one name.

    Example:
        ```python
        class Halving(ka.optimizers.Schedule):
            def evaluate(self, step, math):
                return math.exp(-np.log(2.0) * step)

        print(Halving()(np.arange(3)))  # [1. 0.5 0.25]
        ```
    """

    def __call__(self, step):
        """Returns the value at a step.

        Args:
            step: Non-negative integer, NumPy array of integers, or integer tensor.

        Returns:
            A float64 tensor if `step` is a tensor or variable, else a float64 NumPy number or
            array. Of the shape of `step`.
        """
        if tf.is_tensor(step) or isinstance(step, keras.Variable):
            return self.evaluate(tf.cast(step, tf.float64), tf)
        return np.asarray(self.evaluate(np.asarray(step, np.float64), np))[()]

    def evaluate(self, step, math):
        """Returns the values at float64 steps.

        Args:
            step: Float64 array or tensor of whole numbers.
            math: The module to compute with, `numpy` or `tensorflow`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `evaluate(step, math)`.")
