"""Checks of arguments that the whole package shares; imports neither TensorFlow nor Keras.

Every error names the argument, what was expected and what came.
"""

import math
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


def check_number(
    name, value, minimum=None, maximum=None, *, above=None, below=None, otherwise=None
):
    """Returns `value` as a Python float, if it is a finite number within bounds.

    Integers and NumPy's numbers pass; booleans, NaN, infinity, strings and None don't.

    Args:
        name: Name of the argument, for the error.
        value: What came.
        minimum: Smallest number that passes.
        maximum: Largest number that passes.
        above: Excluded lower bound, instead of `minimum`.
        below: Excluded upper bound, instead of `maximum`.
        otherwise: What the caller lets pass beside numbers, for the error.

    Raises:
        ValueError: If `value` is no finite number, or out of bounds.
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
    if not (
        is_number
        and -math.inf < value < math.inf
        and (minimum is None or value >= minimum)
        and (maximum is None or value <= maximum)
        and (above is None or value > above)
        and (below is None or value < below)
    ):
        kind = _kind(minimum, maximum, above, below)
        kind += f" or {otherwise}" if otherwise else ""
        raise ValueError(f"Expected `{name}` to be {kind}. Received: {name}={value!r}")
    return float(value)


def _kind(minimum, maximum, above, below):
    """The numbers within bounds, in words."""
    low = minimum if above is None else above
    if maximum is None and below is None:
        if low is None:
            return "a finite number"
        if low == 0:
            return "a non-negative number" if above is None else "a positive number"
        return f"a number of at least {low}" if above is None else f"a number above {low}"
    low = f"[{low}" if minimum is not None else f"({'-inf' if low is None else low}"
    high = f"{maximum}]" if below is None else f"{below})"
    return f"in {low}, {high}"


def check_range(name, value, maximum=math.inf):
    """Returns a pair of numbers as a tuple of floats, if 0 < low <= high.

    Args:
        name: Name of the argument, for the error.
        value: What came.
        maximum: Largest number that passes.

    Raises:
        ValueError: If `value` is no such pair.
    """
    try:
        low, high = (check_number(name, end, above=0) for end in value)
        fits = low <= high <= maximum
    except (TypeError, ValueError):
        fits = False
    if not fits:
        limit = "" if maximum == math.inf else f" <= {maximum}"
        raise ValueError(
            f"Expected `{name}` to be (low, high) with 0 < low <= high{limit}. "
            f"Received: {name}={value!r}"
        )
    return low, high


def check_choice(name, value, choices):
    """Returns `value`, if it is one of some strings.

    Args:
        name: Name of the argument, for the error.
        value: What came.
        choices: Tuple of strings.

    Raises:
        ValueError: If `value` is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"Expected `{name}` to be one of {choices}. Received: {name}={value!r}")
    return value


def check_not_begun(name, value, iterations):
    """Raises ValueError after the first step, which goes on with what it was traced with.

    Args:
        name: Name of an argument that would be changed.
        value: What it would become.
        iterations: The optimizer's variable of steps made, or a number.
    """
    if int(iterations.numpy() if hasattr(iterations, "numpy") else iterations) > 0:
        raise ValueError(
            f"Expected no change of `{name}` after the first step, which has it for good. "
            f"Received: {name}={value!r}. Pass a schedule of the step at the start, or build anew."
        )
