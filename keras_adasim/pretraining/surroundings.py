"""What a run changes in its process, and puts back: seeds and dtype policy."""

import contextlib
import logging
import random

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from tensorflow.python.eager import context

KERAS_SEEDS = ("global_random_seed", "global_seed_generator")


@contextlib.contextmanager
def of_a_run(seed, precision):
    """Fixes all seeds and the dtype policy for a run, and leaves both as they were.

    Args:
        seed: Non-negative integer.
        precision: Name of a dtype policy, or "auto": that of `precision_here`.
    """
    policy, level = keras.mixed_precision.dtype_policy(), tf.get_logger().level
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    keras_seeds = [global_state.get_global_attribute(name) for name in KERAS_SEEDS]
    tensorflow = context.context()
    tensorflow_seed = tensorflow._seed, getattr(tensorflow, "_rng", None)
    try:
        tf.get_logger().setLevel(logging.WARNING)  # Not a line for every exchange of devices.
        keras.utils.set_random_seed(seed)
        keras.mixed_precision.set_global_policy(
            precision_here() if precision == "auto" else precision
        )
        yield
    finally:
        tf.get_logger().setLevel(level)
        keras.mixed_precision.set_global_policy(policy)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        for name, value in zip(KERAS_SEEDS, keras_seeds, strict=True):
            global_state.set_global_attribute(name, value)
        tensorflow._seed, tensorflow._rng = tensorflow_seed


def precision_here():
    """The dtype policy that suits the machine: mixed_bfloat16 on a GPU, else float32."""
    return "mixed_bfloat16" if tf.config.list_physical_devices("GPU") else "float32"
