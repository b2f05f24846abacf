"""Normalisation by mean and standard deviation per channel."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_adasim")
class Normalize(keras.layers.Layer):
    """Maps images in [0, 255] to (image / 255 - mean) / std.

    Input and output: (..., C).

    Args:
        mean: C floats, the mean of every channel of images in [0, 1].
        std: C positive floats, the standard deviations.
        **kwargs: Arguments of the base layer.

    Raises:
        ValueError: If the two differ in length, or a standard deviation is not positive.
    """

    def __init__(self, mean, std, **kwargs):
        super().__init__(**kwargs)
        if len(mean) != len(std) or min(std) <= 0:
            raise ValueError(
                "Expected `mean` and `std` to have one entry per channel, with `std` positive. "
                f"Received: mean={mean}, std={std}"
            )
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)

    def call(self, images):
        """Normalises (..., C) images."""
        images = tf.cast(images, tf.float32) / 255.0
        return tf.cast((images - self.mean) / self.std, self.compute_dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "mean": self.mean, "std": self.std}
