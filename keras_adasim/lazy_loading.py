"""Loads the parts of the package when one of them, or Keras, is first imported."""

import importlib.abc
import importlib.util
import sys


class LoadTogether(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports some modules right after any of several others has been imported.

    Keras finds the classes of a saved model only if their modules have been imported. So all are
    imported together, whichever comes first, and none before one is needed.

    Args:
        triggers: names of modules.
        modules: names of the modules to import after the first of them.
    """

    def __init__(self, triggers, modules):
        self._triggers = set(triggers)
        self._modules = modules
        self._loaders = {}
        self._depth = 0

    def find_spec(self, name, path=None, target=None):
        """Finds a trigger as Python does, and takes note when it is loaded."""
        if name not in self._triggers:
            return None
        self._triggers.remove(name)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            self._loaders[name], spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        """Leaves it to the module's own loader."""
        return self._loaders[spec.name].create_module(spec)

    def exec_module(self, module):
        """Executes a trigger; after the outermost one the modules are imported."""
        loader = self._loaders[module.__name__]
        module.__spec__.loader = module.__loader__ = loader
        self._depth += 1
        try:
            loader.exec_module(module)
        finally:
            self._depth -= 1
        if self._depth == 0 and self in sys.meta_path:
            sys.meta_path.remove(self)
            for name in self._modules:
                importlib.import_module(name)
