"""A backbone with its preprocessing inside, as a Keras model that a `.keras` file holds whole."""

import keras
import tensorflow as tf

from keras_adasim.backbones.hub import require_keras_hub
from keras_adasim.data.depth import check_value_range
from keras_adasim.layers.preprocessing import check_channels, check_type, preprocess
from keras_adasim.validation import check_has, check_integer, check_per_channel


@keras.saving.register_keras_serializable(package="keras_adasim")
class ImageBackbone(keras.Model):
    """Gives the features of images of any size and type; `export_keras` writes it.

    Unlike a functional model, which casts floats to the type of its input without a word, it tells
    bytes and floats apart. `backbone` is the network alone, of normalized images.

    Args:
        backbone: Built `keras.Model` from normalized images to `{"features", "tokens"}`.
        image_size: Side in pixels that images are resized to.
        mean: C means of the channels, on the scale from 0 to 1.
        std: C standard deviations.
        value_range: As for `export_backbone`.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Raises:
        ValueError: If an argument doesn't fit.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(16, 8, embed_dim=12, depth=1, num_heads=2)
        mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
        model = ka.export.ImageBackbone(backbone, 16, mean, std)
        features = model(np.zeros((2, 20, 30, 3), "uint8"))["features"]  # (2, 12)
        ```
    """

    def __init__(self, backbone, image_size, mean, std, value_range=None, **kwargs):
        check_has("backbone", backbone, "a built `keras.Model`", "input_shape", "output")
        channels = backbone.input_shape[-1]
        super().__init__(autocast=False, **kwargs)
        self.backbone = backbone
        self.image_size = check_integer("image_size", image_size)
        self.mean = check_per_channel("mean", mean, channels)
        self.std = check_per_channel("std", std, len(self.mean), above=0)
        if value_range is not None:
            value_range = check_value_range(value_range, len(self.mean))
        self.value_range = value_range
        self.built = True

    def call(self, images, training=False):
        """Looks at images.

        Args:
            images: (B, H, W, C), uint8 from 0 to 255 or floats from 0 to 1; with a `value_range`
                uint16 or floats as the files have them.
            training: Whether dropout, drop path and BatchNormalization act as in training.

        Returns:
            float32 `{"features": (B, D), "tokens": (B, P, D)}`, no tokens if the backbone has none.

        Raises:
            ValueError: If the images are of another type, or have other channels.
        """
        images = tf.convert_to_tensor(images)
        check_channels(images, len(self.mean))
        check_type(images.dtype, self.value_range)
        images = preprocess(images, self.image_size, self.mean, self.std, self.value_range)
        outputs = self.backbone(images, training=training)
        return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

    def get_config(self):
        """Returns the constructor's arguments, the backbone serialized."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "image_size": self.image_size,
            "mean": list(self.mean),
            "std": list(self.std),
            "value_range": self.value_range,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuilds the backbone, with new weights, and puts the preprocessing before it.

        Raises:
            ImportError: If it is KerasHub's, and keras-hub isn't installed.
        """
        if "keras_hub" in str(config["backbone"]):
            require_keras_hub()
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})
