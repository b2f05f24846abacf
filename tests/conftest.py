"""Every test runs with warnings as errors, fixed seeds and two logical CPU devices."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# The same programs, but LLVM takes a third less time over them; tests run them only once or twice.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import gc
import json
import pathlib

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python import pywrap_tfe

from keras_adasim.pretraining.devices import make_strategy

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

# For the same reason: TensorFlow takes a third of a traced function's time to rewrite its graph.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# The same examples every time, however busy the machine, and nothing left on the disk.
hypothesis.settings.register_profile(
    "same", derandomize=True, deadline=None, database=None, max_examples=50
)
hypothesis.settings.load_profile("same")

# TensorFlow forgets its kernels with every seed that is set, and needs a millisecond to make each
# one again. Only those of `tf.random`'s global generator hold a seed; who draws from it takes
# `forgetful_kernels`.
FORGET_KERNELS = pywrap_tfe.TFE_ContextClearCaches
pywrap_tfe.TFE_ContextClearCaches = lambda context: None

GOLDEN = pathlib.Path(__file__).parent / "golden"


def pytest_collection_modifyitems(items):
    """Marks as slow what is large, traced once for every replica, or compiled by XLA."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        is_large = item.get_closest_marker("large") is not None
        if is_large or "two_replicas" in item.fixturenames or parameters.get("jit_compile"):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    """Spares the garbage collector what is there for good, some 400,000 objects."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _fixed_seeds():
    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_global_policy("float32")


@pytest.fixture(autouse=True, scope="module")
def _no_memory_of_other_modules():
    yield
    keras.backend.clear_session()


@pytest.fixture
def forgetful_kernels(monkeypatch):
    """TensorFlow's global generator begins anew with every seed."""
    monkeypatch.setattr(pywrap_tfe, "TFE_ContextClearCaches", FORGET_KERNELS)


@pytest.fixture
def golden():
    """Loads an item of tests/golden as (arrays, scalars)."""

    def load(name):
        scalars = json.loads((GOLDEN / "scalars.json").read_text())
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            return dict(arrays), scalars.get(name, {})

    return load


@pytest.fixture(scope="session")
def two_replicas():
    """The MirroredStrategy over the two logical CPU devices: that of `pretrain`, one a process."""
    return make_strategy(2, "mirrored")
