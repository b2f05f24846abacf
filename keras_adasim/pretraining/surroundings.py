"""What a run changes in its process, and puts back: seeds, dtype policy, Ctrl-C."""

import contextlib
import logging
import random
import signal
import threading

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


class Stopped(KeyboardInterrupt):
    """Ctrl-C, heeded after the step that was running."""


@contextlib.contextmanager
def stops_after_a_step(model):
    """Lets Ctrl-C end `fit` after the running step; a second one ends it at once.

    Signals reach the main thread alone: elsewhere nothing is changed.

    Args:
        model: A `SelfDistillation`.

    Raises:
        Stopped: After the step in which Ctrl-C was pressed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier, asked = signal.getsignal(signal.SIGINT), []

    def ask(number, frame):
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nstopping after this step; Ctrl-C once more stops at once", flush=True)

    def stop_if_asked():
        if asked:
            raise Stopped

    if earlier is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, ask)
    model.step_hooks.append(stop_if_asked)
    try:
        yield
    finally:
        model.step_hooks.remove(stop_if_asked)
        signal.signal(signal.SIGINT, earlier)
