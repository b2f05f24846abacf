"""NaN and infinity: named, and kept out of files."""

import tensorflow as tf


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
        if value.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(value))):
            raise NotFiniteError(
                f"Expected finite weights of {what}. Received: NaN or infinite values in "
                f"{getattr(variable, 'path', variable.name)} of shape {tuple(variable.shape)}"
            )
