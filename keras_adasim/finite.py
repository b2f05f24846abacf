"""NaN and infinity: named, and kept out of files."""

import concurrent.futures
import math

import numpy as np
import tensorflow as tf

from keras_adasim.layers.copies import read_part

# Numbers that are looked at together, and how many threads do.
_AT_ONCE = 2**22
_THREADS = 4


class NotFiniteError(RuntimeError):
    """A loss, gradient or weight is NaN or infinite.

    Example:
        ```python
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.layers[0].bias.assign([np.nan])
        try:
            ka.finite.check_finite(model.weights, "the model")
        except ka.NotFiniteError as error:
            print(error)
        ```
    """


def check_finite(variables, what):
    """Raises NotFiniteError that names the first variable that isn't finite.

    Args:
        variables: List of variables.
        what: What they belong to, for the message.
    """
    for variable in variables:
        if tf.as_dtype(variable.dtype).is_floating and not _is_finite(variable):
            raise NotFiniteError(
                f"Expected finite weights of {what}. Received: NaN or infinite values in "
                f"{getattr(variable, 'path', variable.name)} of shape {tuple(variable.shape)}"
            )


def _is_finite(variable):
    """Whether a variable is finite; of a large one part by part, so that none of it is copied."""
    rows = max(1, _AT_ONCE // max(1, math.prod(variable.shape[1:])))
    if not len(variable.shape) or variable.shape[0] <= rows:
        return bool(tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(variable))))

    def is_part_finite(start):
        part = read_part(variable, start, min(start + rows, variable.shape[0]))
        return bool(np.isfinite(part).all())

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
        return all(threads.map(is_part_finite, range(0, variable.shape[0], rows)))
