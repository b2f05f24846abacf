"""Normalization by mean and standard deviation per channel."""

import keras
import tensorflow as tf

from keras_adasim.validation import check_per_channel


@keras.saving.register_keras_serializable(package="keras_adasim")
class Normalize(keras.layers.Layer):
    """Maps images in [0, 255] to (image / 255 - mean) / std.

    Input and output: (..., C).

    Args:
        mean: Mean of every channel of images in [0, 1], C floats.
        std: Standard deviation of every channel, C positive floats.

    Raises:
        ValueError: If the two differ in length, or a standard deviation is not positive.

    Example:
        ```python
        normalize = ka.augment.Normalize(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
        white = np.full((1, 2, 2, 3), 255.0)
        print(normalize(white)[0, 0, 0])  # [2. 2. 2.]
        ```
    """

    def __init__(self, mean, std, **kwargs):
        super().__init__(**kwargs)
        self.mean = check_per_channel("mean", mean)
        self.std = check_per_channel("std", std, above=0)
        if len(self.mean) != len(self.std):
            raise ValueError(
                "Expected `mean` and `std` to have one entry per channel. "
                f"Received: mean={mean}, std={std}"
            )

    def call(self, images):
        """Normalizes (..., C) images."""
        images = tf.cast(images, tf.float32) / 255.0
        return tf.cast((images - self.mean) / self.std, self.compute_dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "mean": self.mean, "std": self.std}
