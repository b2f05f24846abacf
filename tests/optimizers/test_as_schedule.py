import keras
import numpy as np
import pytest

from keras_adasim.optimizers import Constant, WarmupCosine, as_schedule


def test_numbers_become_constants():
    for number in (2, 0.5, np.float32(0.5)):
        schedule = as_schedule(number)
        assert type(schedule) is Constant
        assert schedule(3) == float(number)


def test_schedules_stay():
    for schedule in (
        WarmupCosine(1.0, 0.0, 5),
        keras.optimizers.schedules.ExponentialDecay(1.0, 2, 0.5),
    ):
        assert as_schedule(schedule) is schedule


@pytest.mark.parametrize("value", ["0.1", None, True, [0.1]])
def test_others_are_refused(value):
    with pytest.raises(ValueError, match="Expected `value` to be a finite number or a schedule"):
        as_schedule(value)
