"""Runs of the golden trajectories, shared by the optimizers' tests."""

import keras
import numpy as np
import tensorflow as tf

from keras_adasim.optimizers import LARS, SGD, AdamW
from keras_adasim.optimizers.schedule import Schedule

OPTIMIZERS = {"adamw": AdamW, "lars": LARS, "sgd": SGD}


@keras.saving.register_keras_serializable(package="tests")
class Listed(Schedule):
    """A schedule that reads its values from a list."""

    def __init__(self, values):
        self.values = [float(value) for value in values]

    def evaluate(self, step, math):
        if math is np:
            return np.take(self.values, step.astype(int))
        return tf.gather(tf.constant(self.values, tf.float64), tf.cast(step, tf.int64))

    def get_config(self):
        return {"values": self.values}


def make_optimizer(name, arrays, scalars):
    """An optimizer with the golden schedules."""
    return OPTIMIZERS[name](
        learning_rate=Listed(arrays[f"{name}/learning_rate_per_step_float64"]),
        weight_decay=Listed(arrays["weight_decay_per_step_float64"]),
        clipnorm=scalars["clip"],
    )


def make_variables(arrays, scalars):
    """The golden parameters, by name, as Keras names them."""
    variables = {}
    for name in scalars["parameter_names"]:
        layer, last = name.split(".")
        with keras.name_scope(layer):
            variables[name] = keras.Variable(arrays[f"initial/{name}"], name=last)
    return variables


def trained_at(step, arrays, scalars, frozen_epochs):
    """Names of the parameters that take part in a step."""
    is_frozen = arrays["epoch_of_step"][step] < frozen_epochs
    return [n for n in scalars["parameter_names"] if not (is_frozen and "last_layer" in n)]


def gradients_at(step, arrays, names):
    return [tf.constant(arrays[f"gradients/{name}"][step]) for name in names]


def check(step, name, variables, arrays, frozen_epochs):
    """Compares all parameters with the golden ones."""
    for parameter, variable in variables.items():
        prefix = f"{name}/freeze_last_layer_{frozen_epochs}_epochs/parameters_after_step"
        np.testing.assert_allclose(
            variable, arrays[f"{prefix}/{parameter}"][step], rtol=0, atol=1e-6, err_msg=parameter
        )
