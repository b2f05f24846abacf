"""Commands that judge or convert backbones: `python -m evaluation.NAME --help`."""

import os

# TensorFlow's notes about the machine would bury a command's own lines; read when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
