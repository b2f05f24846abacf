"""Imported before anything that imports TensorFlow, whose notes would bury a recipe's lines."""

from keras_adasim.command import import_tensorflow_quietly

import_tensorflow_quietly()
