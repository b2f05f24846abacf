import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.optimizers import Schedule


class Squared(Schedule):
    def evaluate(self, step, math):
        return math.square(step)


def test_one_formula_serves_numpy_and_tensorflow():
    assert Squared()(3) == 9.0
    assert isinstance(Squared()(np.int32(3)), np.float64)
    assert Squared()([1, 2]).tolist() == [1.0, 4.0]
    assert Squared()(tf.constant(3)).dtype == tf.float64


def test_the_base_class_asks_for_evaluate():
    with pytest.raises(NotImplementedError, match="must implement `evaluate"):
        Schedule()(0)
