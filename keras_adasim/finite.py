"""NaN and infinity: named, and kept out of files."""

import math

import tensorflow as tf

# Numbers that are looked at together.
_AT_ONCE = 2**24


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
        value = tf.convert_to_tensor(variable)
        if value.dtype.is_floating and not _is_finite(value):
            raise NotFiniteError(
                f"Expected finite weights of {what}. Received: NaN or infinite values in "
                f"{getattr(variable, 'path', variable.name)} of shape {tuple(variable.shape)}"
            )


def _is_finite(value):
    """Whether a tensor is finite, part by part: the answer for each number takes a byte."""
    rows = max(1, _AT_ONCE // max(1, math.prod(value.shape[1:])))
    parts = [value] if value.shape.rank == 0 else range(0, value.shape[0], rows)
    parts = (value if part is value else value[part : part + rows] for part in parts)
    return all(bool(tf.reduce_all(tf.math.is_finite(part))) for part in parts)
