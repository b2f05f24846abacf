import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.optimizers import EpochWarmup


def test_equals_dino_in_every_epoch(golden):
    arrays, scalars = golden("schedules")
    names = [name for name in scalars if name.startswith("teacher_temperature/")]
    assert len(names) == 3
    for name in names:
        settings = scalars[name]
        schedule = EpochWarmup(
            settings["warmup_teacher_temp"],
            settings["teacher_temp"],
            settings["warmup_teacher_temp_epochs"],
            steps_per_epoch=7,
        )
        steps = np.arange(settings["nepochs"] * 7)
        expected = np.repeat(arrays[f"{name}_float64"], 7)
        np.testing.assert_allclose(schedule(steps), expected, rtol=0, atol=1e-12, err_msg=name)
        for jit_compile in (False, True):
            values = tf.function(schedule.__call__, jit_compile=jit_compile)(tf.constant(steps))
            assert values.dtype == tf.float64
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12, err_msg=name)


def test_epochs_begin_exactly():
    # 3 * (1 / 3) style rounding must not put the first step of an epoch into the one before.
    schedule = EpochWarmup(0.0, 1000.0, 1001, steps_per_epoch=49)
    np.testing.assert_allclose(schedule(49 * np.arange(1000)), np.arange(1000), rtol=1e-12)


def test_config():
    schedule = EpochWarmup(0.04, 0.07, 3, 5)
    restored = keras.optimizers.schedules.deserialize(
        keras.optimizers.schedules.serialize(schedule)
    )
    assert type(restored) is EpochWarmup
    assert restored.get_config() == schedule.get_config()


def test_wrong_lengths_are_refused():
    with pytest.raises(ValueError, match=r"`warmup_epochs` .* Received: warmup_epochs=-1"):
        EpochWarmup(0.1, 0.2, -1, 5)
    with pytest.raises(ValueError, match=r"`steps_per_epoch` .* Received: steps_per_epoch=0"):
        EpochWarmup(0.1, 0.2, 1, 0)
