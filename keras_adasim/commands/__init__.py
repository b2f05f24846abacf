"""The console command `keras-adasim`: the only place where flags are read."""

from keras_adasim.commands.console import main

__all__ = ["main"]
