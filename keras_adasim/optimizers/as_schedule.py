"""Numbers as schedules."""

import numbers

import keras

from keras_adasim.optimizers.constant import Constant


def as_schedule(value):
    """Returns a schedule for a number, and a schedule as it is.

    Args:
        value: A number or a `LearningRateSchedule`, of ours or of Keras.

    Raises:
        ValueError: If `value` is neither.
    """
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return value
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return Constant(value)
    raise ValueError(f"Expected `value` to be a number or a schedule. Received: value={value!r}")
