"""Tells two sets of images apart without reading them all."""

import hashlib

import numpy as np

# Images that are looked at, spread over the set.
SAMPLES = 256


def fingerprint(source):
    """Returns 16 hexadecimal digits that depend on the number, names and pixels of images.

    Names and pixels of a sample: a set that differs elsewhere may have the same digits.

    Args:
        source: A source of `keras_adasim.data`.
    """
    digest = hashlib.sha256(str((len(source), source.channels)).encode())
    for index in np.unique(np.linspace(0, len(source) - 1, SAMPLES, dtype=int)):
        image = source[int(index)]
        digest.update(str(image.shape).encode())
        digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()[:16]
