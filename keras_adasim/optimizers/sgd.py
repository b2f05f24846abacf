"""Stochastic gradient descent with momentum."""

import keras
import tensorflow as tf

from keras_adasim.optimizers.optimizer import Optimizer
from keras_adasim.validation import check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as PyTorch computes it.

    Two things differ from `keras.optimizers.SGD`. The learning rate multiplies the velocity when
    it is applied, not when it is gathered, so that a change of the rate acts at once. And the
    weight decay is added to the gradient, so that it passes through the velocity too.

    Args:
        learning_rate: Factor of the velocity. A float or a schedule.
        weight_decay: Factor of the weights in the gradient. A float or a schedule.
        momentum: Decay of the velocity, in [0, 1).
        clipnorm: Largest norm of a gradient, each variable on its own. None: no clipping. The
            decay is not clipped.
        name: Name of the optimizer.

    Example:
        ```python
        kernel = keras.Variable([[1.0, 2.0]])
        optimizer = ka.optimizers.SGD(0.1, weight_decay=1e-4, momentum=0.9)
        optimizer.apply([tf.ones((1, 2))], [kernel])
        ```
    """

    def __init__(
        self, learning_rate=0.01, weight_decay=0.0, momentum=0.9, clipnorm=None, name="sgd"
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, name)
        self.momentum = check_number("momentum", momentum, minimum=0, below=1)

    def add_slots(self, variable):
        """Creates the velocity."""
        return [self.add_slot(variable, "velocity")]

    def compute_update(self, gradient, value, slots, learning_rate, weight_decay):
        """Computes a step of one variable."""
        gradient = gradient + tf.cast(weight_decay, value.dtype) * value
        velocity = self.momentum * slots[0] + gradient
        return value - tf.cast(learning_rate, value.dtype) * velocity, [velocity]

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {**super().get_config(), "momentum": self.momentum}
