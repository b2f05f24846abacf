"""Checks of arguments that the whole package shares; imports neither TensorFlow nor Keras.

Every error names the argument, what was expected and what came.
"""

import contextlib
import math
import numbers
import re

import numpy as np

# The largest integer that all take that ours are handed to: NumPy's seeds, TensorFlow's shapes.
LARGEST = 2**32 - 1


def check_integer(name, value, minimum=1):
    """Returns `value` as a Python int, if it is an integer of at least `minimum`.

    NumPy's integers pass; booleans, floats (2.0 too), strings and None don't.

    Args:
        name: Name of the argument, for the error.
        value: What came.
        minimum: Smallest integer that passes.

    Raises:
        ValueError: If `value` is no integer, too small, or above `LARGEST`.
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
    if not is_integer or not minimum <= value <= LARGEST:
        kind = {0: "a non-negative integer", 1: "a positive integer"}.get(
            minimum, f"an integer of at least {minimum}"
        )
        kind += f" up to {LARGEST}" if is_integer and value > LARGEST else ""
        raise ValueError(f"Expected `{name}` to be {kind}. Received: {name}={value!r}")
    return int(value)


def check_switch(name, value):
    """Returns a boolean; numbers and strings are none, though Python would take them for one.

    Args:
        name: Name of the argument, for the error.
        value: What came.

    Raises:
        ValueError: If `value` is neither True nor False.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"Expected `{name}` to be True or False. Received: {name}={value!r}")
    return bool(value)


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


def check_per_channel(name, values, channels=None, above=None):
    """Returns numbers of channels as a tuple of floats.

    Args:
        name: Name of the argument, for the error.
        values: What came.
        channels: How many; None for any number of at least one.
        above: Excluded lower bound.

    Raises:
        ValueError: If `values` isn't a sequence of so many finite numbers within the bound.
    """
    many = "one number for each channel" if channels is None else f"{channels} numbers, one each"
    try:
        if isinstance(values, str | dict):
            raise TypeError
        numbers = tuple(check_number(name, value, above=above) for value in values)
        fits = len(numbers) == channels if channels else len(numbers) > 0
    except (TypeError, ValueError):
        fits = False
    if not fits:
        kind = "" if above is None else f", above {above}"
        raise ValueError(f"Expected `{name}` to be {many}{kind}. Received: {name}={values!r}")
    return numbers


def check_each(name, values, check, **bounds):
    """Returns a list of at least one number, each of which passes a check.

    Args:
        name: Name of the argument, for the error.
        values: What came.
        check: `check_integer` or `check_number`.
        **bounds: As `check` takes them.

    Raises:
        ValueError: If `values` is no list, tuple or array, or empty, or a number doesn't pass.
    """
    if not isinstance(values, list | tuple | np.ndarray) or not len(values):
        raise ValueError(
            f"Expected `{name}` to be a list of numbers, at least one. Received: {name}={values!r}"
        )
    return [check(name, value, **bounds) for value in values]


def check_strings(name, values):
    """Returns a sequence of strings as a tuple.

    Args:
        name: Name of the argument, for the error.
        values: What came.

    Raises:
        ValueError: If `values` is something else, such as one string.
    """
    is_sequence = isinstance(values, list | tuple | np.ndarray)
    if not is_sequence or not all(isinstance(value, str) for value in values):
        raise ValueError(f"Expected `{name}` to be a list of strings. Received: {name}={values!r}")
    return tuple(values)


def check_labels(name, labels, number=None):
    """Returns labels as an array, if they are a vector of integers or strings.

    Args:
        name: Name of the argument, for the error.
        labels: What came.
        number: How many there must be; None for any number.

    Raises:
        ValueError: If `labels` are others; floats are none, as NaN would be a class.
    """
    try:
        array = np.asarray(labels)
    except ValueError:  # Rows of different lengths.
        array = np.asarray(labels, object)
    fits = array.ndim == 1 and number in (None, len(array))
    if not fits or array.dtype.kind not in "biuUS":
        many = "a vector of integers or strings" + (f", {number} of them" if number else "")
        raise ValueError(
            f"Expected `{name}` to be {many}. "
            f"Received: {name} of shape {array.shape} and dtype {array.dtype}"
        )
    return array


def check_numbers(name, values):
    """Returns an array of numbers, whatever their shape.

    Args:
        name: Name of the argument, for the error.
        values: What came.

    Raises:
        ValueError: If `values` are no numbers.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # Rows of different lengths.
        array = np.asarray(values, object)
    if array.dtype.kind not in "biuf" and not str(array.dtype).startswith("bfloat"):
        raise ValueError(
            f"Expected `{name}` to be an array of numbers. "
            f"Received: {name} of shape {array.shape} and dtype {array.dtype}"
        )
    return array


def check_booleans(name, values, rank):
    """Returns an array of booleans, if it has so many axes.

    Args:
        name: Name of the argument, for the error.
        values: What came.
        rank: Number of axes.

    Raises:
        ValueError: If `values` are others; numbers are none, as a label map is no mask.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # Rows of different lengths.
        array = np.asarray(values, object)
    if array.ndim != rank or array.dtype != bool:
        raise ValueError(
            f"Expected `{name}` to be an array of booleans with {rank} axes. Received: {name} of "
            f"shape {array.shape} and dtype {array.dtype}. Compare labels with the one that counts."
        )
    return array


def check_one_size(train_features, test_features):
    """Raises ValueError unless two sets of features (..., D) are of one size D."""
    shapes = tuple(train_features.shape), tuple(test_features.shape)
    if shapes[0][-1] != shapes[1][-1]:
        raise ValueError(
            "Expected `train_features` and `test_features` of one size. Received: "
            f"shapes {shapes[0]} and {shapes[1]}"
        )


def check_has(name, value, what, *attributes):
    """Returns an object, if it has what it is used for.

    Args:
        name: Name of the argument, for the error.
        value: What came.
        what: What was expected, in words.
        *attributes: Names of the attributes and methods that are used.

    Raises:
        ValueError: If `value` lacks one, or is a class instead of an object of it.
    """
    if isinstance(value, type) or not all(hasattr(value, each) for each in attributes):
        raise ValueError(f"Expected `{name}` to be {what}. Received: {name}={value!r}")
    return value


def check_axes(name, value, *axes):
    """Returns an array or a tensor of floats, if it has these axes.

    Args:
        name: Name of the argument, for the error.
        value: What came.
        *axes: An integer for each size that is known, a letter for the others; `...` at the start
            for any more.

    Raises:
        ValueError: If `value` is none, or its axes are others.
    """
    shape = getattr(value, "shape", None)
    rank = None if shape is None else getattr(shape, "rank", len(shape))
    any_more = axes[0] is ...
    known = axes[1:] if any_more else axes
    sizes = zip(reversed(known), reversed(tuple(shape)), strict=False) if rank else ()
    if (
        rank is None
        or not (rank >= len(known) if any_more else rank == len(known))
        or "float" not in str(getattr(value, "dtype", ""))
        or any(isinstance(axis, int) and size not in (None, axis) for axis, size in sizes)
    ):
        wanted = ", ".join("..." if axis is ... else str(axis) for axis in axes)
        wanted += "," if len(axes) == 1 else ""
        came = f"{value!r}" if shape is None else f"shape {shape}, dtype {value.dtype}"
        raise ValueError(
            f"Expected `{name}` to be an array of floats of shape ({wanted}). "
            f"Received: {name} of {came}"
        )
    return value


def check_scalar(name, value, **bounds):
    """Returns a number as a float, if it is within bounds, and a tensor of one as it is.

    Args:
        name: Name of the argument, for the error.
        value: What came.
        **bounds: As `check_number` takes them.

    Raises:
        ValueError: If `value` is neither.
    """
    if getattr(value, "shape", None) == () and not isinstance(value, numbers.Real):
        return value
    return check_number(name, value, **bounds, otherwise="a scalar tensor")


@contextlib.contextmanager
def renamed(**names):
    """Errors of what is called within name the caller's arguments, which have other names.

    Args:
        **names: The caller's name of each argument that is called something else within.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        message = str(error)
        for inner, outer in names.items():
            message = message.replace(f"`{inner}`", f"`{outer}`")
            message = re.sub(rf"\b{inner}=", f"{outer}=", message)
        if message == str(error):
            raise
        raise type(error)(message) from error


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


def reason(error):
    """The line of an error that tells most; Keras' begin with the layer, and have colors."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).strip().splitlines()
    return next((line for line in lines if line.startswith("Expected")), lines[0] if lines else "")
