"""A backbone with a linear classifier, from images as they are to logits."""

import keras

from keras_adasim.export.image_backbone import ImageBackbone
from keras_adasim.validation import check_strings


@keras.saving.register_keras_serializable(package="keras_adasim")
class ImageClassifier(ImageBackbone):
    """Maps images of any size to logits; its file is all that is needed.

    Images (B, H, W, C) are uint8 from 0 to 255, or floats from 0 to 1; with a `value_range` also
    uint16 and floats as the files have them. They are resized to `image_size` (bilinear,
    antialiased, without keeping the ratio of the sides) and normalized. The outputs are float32
    logits (B, K), before the softmax.

    `classifier.save("name.keras")` holds configuration and weights of the whole network.
    `keras.saving.load_model` reads it where `keras_adasim` was imported.

    Args:
        backbone: Built `keras.Model` from normalized images to a dictionary with "features".
        class_names: List of K strings, the names of classes 0, 1, ...
        image_size: Side in pixels of the images that the backbone gets to see.
        mean: C means that images are normalized with, on the scale from 0 to 1.
        std: C standard deviations, on the same scale.
        value_range: `(low, high)`, or C low values and C high ones, that become 0 and 255 in images
            of other types than uint8; None if there are none.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Raises:
        ValueError: If an argument doesn't fit.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(16, 8, embed_dim=12, depth=1, num_heads=2)
        classifier = ka.export.ImageClassifier(
            backbone, ["cat", "dog"], image_size=16, mean=(0.5,) * 3, std=(0.25,) * 3
        )
        logits = classifier(np.zeros((4, 20, 30, 3), np.uint8))  # (4, 2)
        ```
    """

    def __init__(self, backbone, class_names, image_size, mean, std, value_range=None, **kwargs):
        super().__init__(backbone, image_size, mean, std, value_range, **kwargs)
        self.class_names = tuple(check_strings("class_names", class_names))
        if len(self.class_names) < 2 or len(set(self.class_names)) < len(self.class_names):
            raise ValueError(
                "Expected `class_names` of two classes or more, each another name. Received: "
                f"class_names={class_names}"
            )
        # At zero no class is likelier than another, and no seed decides.
        self.head = keras.layers.Dense(
            len(self.class_names), kernel_initializer="zeros", dtype="float32", name="head"
        )
        self.head.build((None, backbone.output["features"].shape[-1]))

    def call(self, images, training=False):
        """Logits (B, K) of images (B, H, W, C).

        Args:
            images: As the class tells.
            training: Whether dropout, drop path and BatchNormalization act as in training.
        """
        return self.head(super().call(images, training)["features"])

    def build(self, input_shape):
        """Creates nothing: the weights are there from the start."""

    def compute_output_shape(self, input_shape):
        """(B, K) for images of shape (B, H, W, C)."""
        return input_shape[0], len(self.class_names)

    def get_config(self):
        """Returns the constructor's arguments, the backbone serialized."""
        return {**super().get_config(), "class_names": list(self.class_names)}
