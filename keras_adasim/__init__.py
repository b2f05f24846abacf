"""Self-supervised pretraining for Keras with adaptive similarity bootstrapping (AdaSim).

Submodules load when they are first named, so that `keras_adasim.pairing`, which is plain NumPy,
can be used in a process that never imports TensorFlow. In a process that has imported Keras they
load at once, so that `keras.models.load_model` knows their classes.
"""

import importlib
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__version__ = "0.1.0"

_SUBMODULES = (
    "augment",
    "backbones",
    "callbacks",
    "data",
    "evaluation",
    "export",
    "layers",
    "models",
    "objectives",
    "optimizers",
    "pairing",
)
__all__ = ["SelfDistillation", *_SUBMODULES]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"keras_adasim.{name}")
    if name == "SelfDistillation":
        return importlib.import_module("keras_adasim.models").SelfDistillation
    raise AttributeError(f"module 'keras_adasim' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])


if "keras" in sys.modules:
    for _name in _SUBMODULES:
        importlib.import_module(f"keras_adasim.{_name}")
