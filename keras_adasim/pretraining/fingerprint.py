"""Tells two sets of images apart without reading them all."""

import hashlib

import numpy as np
import tensorflow as tf

# Images that are looked at, spread over the set.
SAMPLES = 256


def fingerprint(source):
    """Returns 16 hexadecimal digits that depend on the number, order and content of images.

    Files are compared by their bytes, arrays by their pixels, and of a sample: a set that differs
    elsewhere may have the same digits.

    Args:
        source: A source of `keras_adasim.data`.
    """
    digest = hashlib.sha256(str((len(source), source.channels)).encode())
    for index in np.unique(np.linspace(0, len(source) - 1, SAMPLES, dtype=int)):
        with tf.device("CPU:0"):
            content = source.read(tf.constant(index, tf.int64)).numpy()
        digest.update(content if isinstance(content, bytes) else content.tobytes())
    return digest.hexdigest()[:16]
