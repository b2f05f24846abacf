"""Stochastic gradient descent with momentum."""

import keras
import tensorflow as tf

from keras_adasim.optimizers.optimizer import Optimizer


@keras.saving.register_keras_serializable(package="keras_adasim")
class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as PyTorch computes it.

    Two things differ from `keras.optimizers.SGD`. The learning rate multiplies the velocity when
    it is applied, not when it is gathered, so that a change of the rate acts at once. And the
    weight decay is added to the gradient, so that it passes through the velocity too.

    Args:
        learning_rate: Float or schedule.
        weight_decay: Float or schedule.
        momentum: Decay of the velocity.
        clipnorm: Largest norm of a gradient, each variable on its own, or None. The decay is not
            clipped.
        name: Name of the optimizer.
    """

    def __init__(
        self, learning_rate=0.01, weight_decay=0.0, momentum=0.9, clipnorm=None, name="sgd"
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, name)
        if not 0 <= momentum < 1:
            raise ValueError(f"Expected `momentum` to be in [0, 1). Received: momentum={momentum}")
        self.momentum = momentum

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
