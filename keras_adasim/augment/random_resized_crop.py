"""Random-resized crop on the device, as two batched matrix products."""

import keras
import tensorflow as tf

from keras_adasim.augment.crop_boxes import DRAWS_PER_BOX, RATIO, random_resized_boxes
from keras_adasim.augment.keras_cv_layers import AugmentationLayer
from keras_adasim.augment.separable import apply_separable
from keras_adasim.layers.preprocessing import check_interpolation, resize_weights
from keras_adasim.validation import check_integer, check_range


@keras.saving.register_keras_serializable(package="keras_adasim")
class RandomResizedCrop(AugmentationLayer):
    """Cuts a random box out of every image and resizes it, with antialiasing.

    The boxes are torchvision's, the resizing is Pillow's: the kernel widens with the shrinkage,
    and nothing outside the box has an influence. Unlike in Pillow the result is not rounded.
    KerasCV's `RandomCropAndResize` neither antialiases nor compiles with XLA.

    Input: (B, H, W, C) images, uint8 or float in [0, 255]. Output: (B, size, size, C) float.

    Args:
        size: Side of the output in pixels.
        scale: Range of the box's share of the area, a pair of floats in (0, 1].
        ratio: Range of the box's width / height, a pair of floats.
        interpolation: Kernel, "bilinear" or "bicubic" (a = -0.5, clipped to [0, 255]).

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        ```python
        images = np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)
        crop = ka.augment.RandomResizedCrop(8, scale=(0.4, 1.0))
        print(crop(images).shape)  # (4, 8, 8, 3)
        ```
    """

    def __init__(self, size, scale=(0.08, 1.0), ratio=RATIO, interpolation="bilinear", **kwargs):
        super().__init__(**kwargs)
        check_interpolation(interpolation)
        self.size = check_integer("size", size)
        self.scale = check_range("scale", scale, maximum=1)
        self.ratio = check_range("ratio", ratio)
        self.interpolation = interpolation

    def get_random_transformation_batch(self, batch_size, images=None, **kwargs):
        """Draws (B, 4) boxes of (top, left, height, width) in pixels."""
        draws = self._random_generator.uniform((batch_size, DRAWS_PER_BOX))
        return random_resized_boxes(draws, images.shape[1], images.shape[2], self.scale, self.ratio)

    def augment_images(self, images, transformations, **kwargs):
        """Cuts and resizes: (B, H, W, C) and (B, 4) boxes -> (B, size, size, C)."""
        top, left, height, width = tf.unstack(tf.cast(transformations, tf.float32), axis=1)
        rows = resize_weights(top, height, images.shape[1], self.size, self.interpolation)
        columns = resize_weights(left, width, images.shape[2], self.size, self.interpolation)
        resized = apply_separable(tf.cast(images, tf.float32), rows, columns)
        if self.interpolation == "bicubic":
            resized = tf.clip_by_value(resized, 0.0, 255.0)
        return tf.cast(resized, self.compute_dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "size": self.size,
            "scale": self.scale,
            "ratio": self.ratio,
            "interpolation": self.interpolation,
        }
