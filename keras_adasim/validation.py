"""Checks of arguments that the whole package shares; imports neither TensorFlow nor Keras.

Every error names the argument, what was expected and what came.
"""

import numbers

import numpy as np


def check_integer(name, value, minimum=1):
    """Returns `value` as a Python int, if it is an integer of at least `minimum`.

    NumPy's integers pass; booleans, floats (2.0 too), strings and None don't.

    Args:
        name: Name of the argument, for the error.
        value: What came.
        minimum: Smallest integer that passes.

    Raises:
        ValueError: If `value` is no integer, or too small.
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
    if not is_integer or value < minimum:
        kind = {0: "a non-negative integer", 1: "a positive integer"}.get(
            minimum, f"an integer of at least {minimum}"
        )
        raise ValueError(f"Expected `{name}` to be {kind}. Received: {name}={value!r}")
    return int(value)
