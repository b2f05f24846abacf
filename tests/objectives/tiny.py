"""Every objective, small enough for a test, as its own test file makes it."""

import importlib

from keras_adasim import objectives

NAMES = [name for name in objectives.__all__ if name.islower()]


def make(name):
    """The objective of `objectives/NAME.py`, by `small()` of its test file."""
    return importlib.import_module(f"tests.objectives.test_{name}").small()


def build(objective, feature_dim=8):
    """The objective, built for features of 8 numbers and four tokens of as many."""
    objective.build({"features": (None, feature_dim), "tokens": (None, 4, feature_dim)})
    return objective
