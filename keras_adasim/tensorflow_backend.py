"""Makes sure that Keras runs on TensorFlow, and imports it quietly; the first import of all."""

import importlib
import os
import pathlib
import sys


def require_tensorflow():
    """Imports Keras on TensorFlow.

    Raises:
        ImportError: If Keras is set to another backend, or TensorFlow to Keras 2. The command
            `keras-adasim` ends with the message as its one line.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        _refuse(f"KERAS_BACKEND={backend}. Set KERAS_BACKEND=tensorflow before Keras is imported")
    if os.environ.get("TF_USE_LEGACY_KERAS", "0").lower() not in ("", "0", "false"):
        value = os.environ["TF_USE_LEGACY_KERAS"]
        _refuse(f"TF_USE_LEGACY_KERAS={value}, which means Keras 2. Unset it")
    _import_quietly()
    backend = importlib.import_module("keras").backend.backend()
    if backend != "tensorflow":  # Imported before the variable was set, or by `keras.json`.
        _refuse(f"Keras running on {backend}. Set KERAS_BACKEND=tensorflow before its import")


def _refuse(received):
    message = f"keras_adasim needs Keras 3 on TensorFlow. Received: {received}."
    if pathlib.Path(sys.argv[0]).stem == "keras-adasim":
        print(f"keras-adasim: {message}", file=sys.stderr)
        sys.exit(2)
    raise ImportError(message)


def _import_quietly():
    """Imports TensorFlow without its notes about the machine, which would bury a command's lines.

    Some of them heed no setting, so that standard error is closed meanwhile. They are let through
    if `TF_CPP_MIN_LOG_LEVEL` is 0, or if there is a GPU, as they tell why one isn't used.
    """
    # With other workers, as one that is gone would be logged over several lines.
    quiet = "3" if "TF_CONFIG" in os.environ else "2"
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", quiet)
    if level == "0" or pathlib.Path("/dev/nvidia0").exists() or "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    error = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        importlib.import_module("tensorflow").config.list_physical_devices()
    finally:
        os.dup2(error, 2)
        os.close(error)
        os.close(nothing)
