"""The examples of the room's functions run; those of its classes, tests/test_docstrings.py runs."""

import importlib
import inspect
import pkgutil
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_adasim
from keras_adasim import evaluation
from keras_adasim.docstrings import section


def examples():
    """Code of every example, by module and function."""
    for module in pkgutil.iter_modules(evaluation.__path__):
        values = vars(importlib.import_module(f"{evaluation.__name__}.{module.name}"))
        for name, value in values.items():
            if inspect.isfunction(value) and value.__module__ == values["__name__"]:
                block = section(value.__doc__ or "", "Example")
                if block:
                    code = re.fullmatch(r"```python\n(.+)\n```", block, re.DOTALL)[1]
                    yield f"{module.name}.{name}", code


@pytest.mark.large
def test_the_examples_of_functions_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = dict(examples())
    assert len(found) > 15
    for code in found.values():
        exec(code, {"np": np, "tf": tf, "ka": keras_adasim, "keras": keras})
