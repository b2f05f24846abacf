import keras
import numpy as np
import tensorflow as tf

from keras_adasim.optimizers import Constant


def test_the_same_at_every_step():
    schedule = Constant(0.1)
    assert schedule(0) == schedule(10**9) == 0.1
    assert schedule(np.arange(3)).tolist() == [0.1] * 3
    value = schedule(tf.constant(4, tf.int64))
    assert value.dtype == tf.float64
    assert value == 0.1


def test_config():
    config = keras.optimizers.schedules.serialize(Constant(0.1))
    assert keras.optimizers.schedules.deserialize(config).value == 0.1
