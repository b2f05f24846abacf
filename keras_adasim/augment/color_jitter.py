"""Color jitter with torchvision's meaning of the four strengths."""

import keras
import tensorflow as tf

from keras_adasim.augment.hue import shift_hue
from keras_adasim.augment.keras_cv_layers import AugmentationLayer
from keras_adasim.validation import check_number

_BRIGHTNESS, _CONTRAST, _HUE = 0, 1, 3
_LUMA = (0.2989, 0.587, 0.114)


@keras.saving.register_keras_serializable(package="keras_adasim")
class ColorJitter(AugmentationLayer):
    """Changes brightness, contrast, saturation and hue, in an order drawn for every image.

    Brightness multiplies the image, contrast its distance to the mean of its gray version,
    saturation its distance to the gray version; each result is clipped to [0, 255]. With KerasCV's
    `RandomColorJitter` the same numbers mean something else: brightness adds, a saturation of
    0.2 leaves next to no color, and the order is fixed.

    Input and output: (B, H, W, 3) images in [0, 255].

    Args:
        brightness: Strength b of at least 0. The factor is uniform in [max(0, 1 - b), 1 + b].
        contrast: Strength of at least 0, likewise.
        saturation: Strength of at least 0, likewise.
        hue: Largest shift, in [0, 0.5]. It is uniform in [-hue, hue] turns of the color circle.

    Raises:
        ValueError: If a strength is out of bounds.

    Example:
        ```python
        images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype("float32")
        jitter = ka.augment.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1)
        jittered = jitter(images)
        ```
    """

    def __init__(self, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, **kwargs):
        super().__init__(**kwargs)
        self.brightness = check_number("brightness", brightness, minimum=0)
        self.contrast = check_number("contrast", contrast, minimum=0)
        self.saturation = check_number("saturation", saturation, minimum=0)
        self.hue = check_number("hue", hue, minimum=0, maximum=0.5)

    def get_random_transformation_batch(self, batch_size, **kwargs):
        """Draws what is done to each image.

        Returns:
            Dictionary of `"factors"`, (B, 4) float: the factors of brightness, contrast and
            saturation and the shift of hue in turns; and `"order"`, (B, 4) int32: which of the
            four comes first, second, third and last.
        """
        strengths = (self.brightness, self.contrast, self.saturation)
        low = tf.constant([*(max(1.0 - s, 0.0) for s in strengths), -self.hue], tf.float32)
        high = tf.constant([*(1.0 + s for s in strengths), self.hue], tf.float32)
        factors = self._random_generator.uniform((batch_size, 4), low, high)
        order = tf.argsort(self._random_generator.uniform((batch_size, 4)), axis=1, stable=True)
        return {"factors": factors, "order": order}

    def augment_images(self, images, transformations, **kwargs):
        """Jitters (B, H, W, 3) images.

        Hue is the dear one of the four, so it is computed once, at the end of those changes that
        come before it in an image's order; the places around it are three on either side.
        """
        factors, order = transformations["factors"], transformations["order"]
        hue_place = tf.argmax(tf.equal(order, _HUE), axis=1, output_type=tf.int32)
        for place in range(3):
            images = _change(images, factors, order[:, place], place < hue_place)
        images = shift_hue(images, factors[:, _HUE])
        for place in range(1, 4):
            images = _change(images, factors, order[:, place], place > hue_place)
        return images

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "brightness": self.brightness,
            "contrast": self.contrast,
            "saturation": self.saturation,
            "hue": self.hue,
        }


def _change(images, factors, kind, wanted):
    """Brightness, contrast or saturation of (B, H, W, 3) images, by (B,) kinds, where wanted."""
    factor = tf.gather(factors, kind, axis=1, batch_dims=1)
    factor = tf.where(wanted, factor, 1.0)[:, None, None, None]
    kind = kind[:, None, None, None]
    gray = tf.reduce_sum(images * _LUMA, axis=3, keepdims=True)
    mean = tf.reduce_mean(gray, axis=(1, 2), keepdims=True)
    reference = tf.where(kind == _CONTRAST, mean, gray)
    reference = tf.where(kind == _BRIGHTNESS, 0.0, reference)
    return tf.clip_by_value(factor * images + (1.0 - factor) * reference, 0.0, 255.0)
