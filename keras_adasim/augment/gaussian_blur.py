"""Gaussian blur with one sigma per image, as two batched matrix products."""

import math

import keras
import tensorflow as tf

from keras_adasim.augment.keras_cv_layers import AugmentationLayer
from keras_adasim.augment.separable import apply_separable
from keras_adasim.validation import check_range

# The kernel is cut where it has fallen below e-8 of its peak.
_RADIUS_IN_SIGMAS = 4.0


@keras.saving.register_keras_serializable(package="keras_adasim")
class GaussianBlur(AugmentationLayer):
    """Blurs every image with a Gaussian whose sigma is drawn uniformly.

    Pixels beyond the border repeat the border's, as in Pillow, whose `GaussianBlur` of radius
    sigma (DINO's) approximates this with box filters. KerasCV's `RandomGaussianBlur` takes one
    image at a time and fades to black at the border.

    Input and output: (B, H, W, C) images, at least 2 pixels wide and high.

    Args:
        sigma: Range of the standard deviation in pixels, a pair of floats.

    Raises:
        ValueError: If `sigma` is no range of positive numbers.

    Example:
        ```python
        images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype("float32")
        blur = ka.augment.GaussianBlur(sigma=(0.1, 2.0))
        blurred = blur(images)
        ```
    """

    def __init__(self, sigma=(0.1, 2.0), **kwargs):
        super().__init__(**kwargs)
        self.sigma = check_range("sigma", sigma)

    def get_random_transformation_batch(self, batch_size, **kwargs):
        """Draws (B,) sigmas in pixels."""
        return self._random_generator.uniform((batch_size,), *self.sigma)

    def augment_images(self, images, transformations, **kwargs):
        """Blurs (B, H, W, C) images by (B,) sigmas."""
        radius = math.ceil(_RADIUS_IN_SIGMAS * self.sigma[1])
        height, width = images.shape[1], images.shape[2]
        rows = blur_weights(transformations, height, radius)
        columns = rows if width == height else blur_weights(transformations, width, radius)
        blurred = apply_separable(tf.cast(images, tf.float32), rows, columns)
        return tf.cast(blurred, self.compute_dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "sigma": self.sigma}


def blur_weights(sigmas, num_pixels, radius):
    """Weights that blur a line of pixels.

    Args:
        sigmas: (B,) float tensor, standard deviations in pixels.
        num_pixels: Integer of at least 2. Pixels in the line.
        radius: Integer. Reach of the kernel in pixels.

    Returns:
        (B, num_pixels, num_pixels) float tensor; every row sums to one.
    """
    targets = tf.range(num_pixels, dtype=tf.float32)[:, None]
    sources = tf.range(-radius, num_pixels + radius, dtype=tf.float32)
    distance = tf.abs(sources - targets)
    kernel = tf.exp(-0.5 * (distance / sigmas[:, None, None]) ** 2)
    kernel = tf.where(distance <= radius, kernel, 0.0)
    # What falls beyond the border counts for the border's pixel.
    first = tf.reduce_sum(kernel[..., : radius + 1], axis=2, keepdims=True)
    last = tf.reduce_sum(kernel[..., -radius - 1 :], axis=2, keepdims=True)
    weights = tf.concat([first, kernel[..., radius + 1 : -radius - 1], last], axis=2)
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)
