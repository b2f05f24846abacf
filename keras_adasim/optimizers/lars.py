"""Layer-wise adaptive rate scaling."""

import keras
import tensorflow as tf

from keras_adasim.optimizers.sgd import SGD
from keras_adasim.validation import check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class LARS(SGD):
    """Momentum with a rate for every layer, for large batches.

    The gradient of a variable with two or more dimensions, weight decay included, is scaled to
    `trust_coefficient` times the norm of the variable (or left alone where either norm is 0).
    Other variables follow plain momentum.

    Args:
        learning_rate: Factor of the velocity. A float or a schedule.
        weight_decay: Factor of the weights in the gradient. A float or a schedule.
        momentum: Decay of the velocity, in [0, 1).
        trust_coefficient: Norm of a step in units of the variable's norm, at a learning rate of 1.
        clipnorm: Largest norm of a gradient, each variable on its own. None: no clipping. The
            decay is not clipped.
        name: Name of the optimizer.

    Reference:
        You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017, as in
        `utils.LARS` of the official DINO code.

    Example:
        ```python
        kernel = keras.Variable([[1.0, 2.0]])
        optimizer = ka.optimizers.LARS(0.3, weight_decay=1e-6)
        optimizer.apply([tf.ones((1, 2))], [kernel])
        ```
    """

    def __init__(
        self,
        learning_rate=0.3,
        weight_decay=0.0,
        momentum=0.9,
        trust_coefficient=1e-3,
        clipnorm=None,
        name="lars",
    ):
        super().__init__(learning_rate, weight_decay, momentum, clipnorm, name)
        self.trust_coefficient = check_number("trust_coefficient", trust_coefficient, above=0)

    def compute_update(self, gradient, value, slots, learning_rate, weight_decay):
        """Computes a step of one variable."""
        if value.shape.rank > 1:
            gradient = gradient + tf.cast(weight_decay, value.dtype) * value
            gradient = gradient * self._trust_ratio(gradient, value)
        return super().compute_update(gradient, value, slots, learning_rate, weight_decay=0.0)

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {**super().get_config(), "trust_coefficient": self.trust_coefficient}

    def _trust_ratio(self, gradient, value):
        value_norm, gradient_norm = tf.norm(value), tf.norm(gradient)
        ratio = tf.math.divide_no_nan(self.trust_coefficient * value_norm, gradient_norm)
        return tf.where((value_norm > 0) & (gradient_norm > 0), ratio, 1.0)
