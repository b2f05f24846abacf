"""Dynamic loss scaling for float16."""

import keras
import tensorflow as tf

from keras_adasim.validation import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class LossScale(keras.layers.Layer):
    """Keeps float16 gradients in range: halves the scale on overflow, doubles it after a while.

    Keras' own `LossScaleOptimizer` counts in int32 and branches on the host, which an XLA program
    on a GPU can't do; this one is local assigns only.

    Args:
        initial: First scale.
        growth_steps: Number of steps without overflow after which the scale is doubled.
    """

    def __init__(self, initial=2.0**15, growth_steps=2000, **kwargs):
        super().__init__(autocast=False, **{"dtype": "float32", "trainable": False, **kwargs})
        self.initial = check_number("initial", initial, above=0)
        self.growth_steps = check_integer("growth_steps", growth_steps)
        self.scale = self._scalar("scale", "float32", self.initial)
        self.good_steps = self._scalar("good_steps", "int64", 0)
        self.built = True

    def _scalar(self, name, dtype, value):
        initializer = keras.initializers.Constant(value)
        return self.add_weight(
            name=name, shape=(), dtype=dtype, initializer=initializer, trainable=False
        )

    def unscale(self, gradients):
        """Returns a dictionary of gradients divided by the scale, in float32."""
        factor = 1.0 / tf.convert_to_tensor(self.scale)
        return {name: tf.cast(g, tf.float32) * factor for name, g in gradients.items()}

    def update(self, finite):
        """Counts a step; the same on every replica, as the gradients are."""
        scale = tf.convert_to_tensor(self.scale)
        count = tf.convert_to_tensor(self.good_steps) + 1
        grow = count >= self.growth_steps
        grown = tf.where(grow, tf.minimum(scale * 2.0, 2.0**24), scale)
        self.scale.value.assign(tf.where(finite, grown, tf.maximum(scale * 0.5, 1.0)))
        self.good_steps.value.assign(tf.where(finite & ~grow, count, tf.zeros_like(count)))

    def get_config(self):
        """Returns the constructor's arguments."""
        config = {"initial": self.initial, "growth_steps": self.growth_steps}
        return {**super().get_config(), **config}
