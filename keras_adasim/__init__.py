"""Self-supervised pretraining for Keras with adaptive similarity bootstrapping (AdaSim).

Submodules load when they are first named, so that `keras_adasim.pairing`, which is plain NumPy,
can be used in a process that never imports TensorFlow. In a process that has imported Keras, or
imports it later, they load at once, so that `keras.models.load_model` knows their classes.
"""

import importlib.abc
import importlib.util
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


def _register():
    for name in _SUBMODULES:
        importlib.import_module(f"keras_adasim.{name}")


class _AfterKeras(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the submodules right after Keras, when that is imported later than this package."""

    def find_spec(self, name, path, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _register()


if "keras" in sys.modules:
    _register()
else:
    sys.meta_path.insert(0, _AfterKeras())
