"""Adam with decoupled weight decay."""

import keras
import tensorflow as tf

from keras_adasim.optimizers.optimizer import Optimizer
from keras_adasim.validation import check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class AdamW(Optimizer):
    """Adam with decoupled weight decay, as PyTorch computes it.

    Two things differ from `keras.optimizers.AdamW`. Epsilon is added to the root of the *bias
    corrected* second moment, which matters for small gradients. And each variable counts its own
    steps, so that a layer which is frozen at first starts its bias correction when it is first
    trained.

    Args:
        learning_rate: Size of a step. A float or a schedule.
        weight_decay: Share of the weights that a step takes away, times the learning rate. A float
            or a schedule.
        beta_1: Decay of the first moment, in [0, 1).
        beta_2: Decay of the second moment, in [0, 1).
        epsilon: What is added to the denominator, at least 0.
        clipnorm: Largest norm of a gradient, each variable on its own. None: no clipping.
        name: Name of the optimizer.

    Reference:
        Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Example:
        ```python
        rate = ka.optimizers.WarmupCosine(5e-4, 1e-6, steps=1000, warmup_steps=100)
        decay = ka.optimizers.WarmupCosine(0.04, 0.4, steps=1000)
        optimizer = ka.optimizers.AdamW(rate, decay, clipnorm=3.0)
        ```
    """

    def __init__(
        self,
        learning_rate=1e-3,
        weight_decay=0.01,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        clipnorm=None,
        name="adamw",
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, name)
        self.beta_1 = check_number("beta_1", beta_1, minimum=0, below=1)
        self.beta_2 = check_number("beta_2", beta_2, minimum=0, below=1)
        self.epsilon = check_number("epsilon", epsilon, minimum=0)

    def add_slots(self, variable):
        """Creates both moments, and the variable's own step count."""
        return [
            self.add_slot(variable, "momentum"),
            self.add_slot(variable, "velocity"),
            # int32 would live on the CPU, out of reach of a compiled function on a GPU.
            self.add_slot(variable, "step_count", shape=(), dtype="int64"),
        ]

    def compute_update(self, gradient, value, slots, learning_rate, weight_decay):
        """Computes a step of one variable."""
        first, second, count = slots
        count = count + 1
        steps = tf.cast(count, tf.float64)
        # Scalars stay in float64, as they are Python numbers in PyTorch.
        cast = lambda scalar: tf.cast(scalar, gradient.dtype)  # noqa: E731
        first_correction = 1.0 - tf.pow(tf.constant(self.beta_1, tf.float64), steps)
        second_correction = 1.0 - tf.pow(tf.constant(self.beta_2, tf.float64), steps)
        value = value * cast(1.0 - learning_rate * weight_decay)
        first = first + (1.0 - self.beta_1) * (gradient - first)
        second = self.beta_2 * second + (1.0 - self.beta_2) * tf.square(gradient)
        denominator = tf.sqrt(second) / cast(tf.sqrt(second_correction)) + self.epsilon
        value = value - cast(learning_rate / first_correction) * first / denominator
        return value, [first, second, count]

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
