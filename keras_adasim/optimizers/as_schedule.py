"""Numbers as schedules."""

import keras

from keras_adasim.optimizers.constant import Constant
from keras_adasim.validation import check_number


def as_schedule(value, name="value", **bounds):
    """Returns a schedule for a number, and a schedule as it is.

    Args:
        value: A number or a `LearningRateSchedule`, of ours or of Keras.
        name: Name of the argument, for the error.
        **bounds: Bounds of a number, as `check_number` takes them.

    Raises:
        ValueError: If `value` is neither, or a number out of bounds.
    """
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return value
    return Constant(check_number(name, value, **bounds, otherwise="a schedule"))
