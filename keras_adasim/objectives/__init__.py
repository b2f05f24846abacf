"""Objectives: from embeddings to a loss.

Every file here that defines an `Objective` belongs to the package's names, the file as a module and
the class, so that a method is added by adding its file.
"""

import importlib
import inspect
import pkgutil

from keras_adasim.objectives.objective import Objective


def _defined_in(module):
    """The names of the objectives that a module defines itself."""
    return [
        name
        for name, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Objective) and value.__module__ == module.__name__
    ]


__all__ = ["Objective"]
for _file in pkgutil.iter_modules(__path__):
    _module = importlib.import_module(f"{__name__}.{_file.name}")
    if _file.name != "objective" and (_names := _defined_in(_module)):
        globals().update({name: getattr(_module, name) for name in _names})
        __all__ += [_file.name, *_names]
