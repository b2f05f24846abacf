"""Self-supervised pretraining for Keras with adaptive similarity bootstrapping (AdaSim).

`keras_adasim.pairing`, which is plain NumPy, can be used in a process that never imports
TensorFlow. All other submodules load together, when the first of them is named or Keras is
imported, so that `keras.models.load_model` knows their classes.
"""

import importlib
import os
import sys

from keras_adasim.lazy_loading import LoadTogether

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


_modules = [f"keras_adasim.{name}" for name in _SUBMODULES]
if "keras" in sys.modules:
    for _name in _modules:
        importlib.import_module(_name)
else:
    _triggers = {"keras", *_modules} - {"keras_adasim.pairing"}
    sys.meta_path.insert(0, LoadTogether(_triggers, _modules))
