"""Commands that judge or convert backbones: `python -m evaluation.NAME --help`."""

from keras_adasim.command import import_tensorflow_quietly

import_tensorflow_quietly()
