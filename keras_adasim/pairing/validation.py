"""Checks of arguments, shared by the pairings.

Every error names the argument, what was expected and what came.
"""

import numpy as np


def check_integers(name, values, shape, below=None):
    """Returns `values` as an integer array of the given shape, every entry in [0, below).

    Args:
        name: Name of the argument, for the error.
        values: Array-like of integers.
        shape: Expected shape; None stands for any size of that axis.
        below: Exclusive upper bound of the entries, or None for none.

    Raises:
        ValueError: If the shape, the dtype or an entry is not what was expected.
    """
    values = _as_array(values)
    if values.size == 0 and not isinstance(values.dtype.type(), np.integer):
        values = values.astype(np.int64)  # np.asarray([]) is float64
    _check_shape(name, values, shape)
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"Expected `{name}` to hold integers. Received: {name}.dtype={values.dtype}. "
            f"Cast it with `{name}.astype('int64')`."
        )
    if values.size and (values.min() < 0 or (below is not None and values.max() >= below)):
        limit = "non-negative" if below is None else f"in [0, {below})"
        raise ValueError(
            f"Expected every entry of `{name}` to be {limit}. "
            f"Received: minimum {values.min()}, maximum {values.max()}"
        )
    return values


def check_similarities(name, values, shape):
    """Returns `values` as a float array of cosine similarities of the given shape.

    Values that rounding has put beyond 1 (by up to 0.01, as bfloat16 features do) are let through.

    Raises:
        ValueError: If the shape or the dtype is wrong, or an entry is no cosine similarity.
    """
    values = _as_array(values)
    _check_shape(name, values, shape)
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(
            f"Expected `{name}` to hold floats. Received: {name}.dtype={values.dtype}. "
            f"Cast it with `{name}.astype('float32')`."
        )
    # Written so that NaN, which compares False with everything, fails.
    if values.size and not (values.min() >= -1.01 and values.max() <= 1.01):
        raise ValueError(
            f"Expected every entry of `{name}` to be a cosine similarity in [-1, 1]. Received: "
            f"minimum {values.min()}, maximum {values.max()}. L2-normalize the features first."
        )
    return values


def _as_array(values):
    try:
        return np.asarray(values)
    except ValueError:  # Rows of different lengths.
        return np.asarray(values, object)


def _check_shape(name, values, shape):
    sizes_match = values.ndim == len(shape) and all(
        expected in (None, size) for size, expected in zip(values.shape, shape, strict=True)
    )
    if not sizes_match:
        wanted = ", ".join("n" if size is None else str(size) for size in shape)
        wanted += "," if len(shape) == 1 else ""
        raise ValueError(
            f"Expected `{name}` of shape ({wanted}). Received: {name}.shape={values.shape}"
        )
