"""An exported backbone as a Keras layer that can be fine-tuned."""

import os

import keras
import tensorflow as tf

from keras_adasim.export.metadata import Metadata
from keras_adasim.files import expand
from keras_adasim.layers.preprocessing import check_channels, check_type


def load_backbone(path):
    """Loads what `export_backbone` wrote, to be fine-tuned by any Keras optimizer.

    Args:
        path: The exported folder.

    Returns:
        `ExportedBackbone`, a trainable `keras.layers.Layer`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folder isn't one that `export_backbone` wrote.
    """
    return ExportedBackbone(path)


@keras.saving.register_keras_serializable(package="keras_adasim")
class ExportedBackbone(keras.layers.Layer):
    """A backbone read from a SavedModel, preprocessing inside; any Keras optimizer trains it.

    With `training=True` dropout, drop path and BatchNormalization act as in training, unless the
    layer is frozen (`trainable = False`): then it is a fixed function, as a frozen
    BatchNormalization is. Computes in the precision that it was exported with.

    A model that holds this layer can be saved and loaded; its file has the weights, and the layer
    reads the computation from `folder` again, so that the folder has to stay where it is. As
    SavedModels are programs, `keras.saving.load_model` wants `safe_mode=False` for it.

    Args:
        folder: What `export_backbone` wrote.
        **kwargs: `name` and `trainable` of `keras.layers.Layer`.

    Attributes:
        metadata: The export's `Metadata`: image_size, channels, feature_dim, mean, std, ...

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folder isn't one that `export_backbone` wrote.

    Example:
        ```python
        import tempfile

        backbone = ka.backbones.VisionTransformer(16, 8, embed_dim=12, depth=1, num_heads=2)
        ka.export.export_backbone(backbone, folder := tempfile.mkdtemp(), image_size=16)
        images = keras.Input((None, None, 3), dtype="uint8")
        features = ka.export.load_backbone(folder)(images)["features"]
        classifier = keras.Model(images, keras.layers.Dense(10)(features))
        ```
    """

    def __init__(self, folder, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.folder = os.fspath(expand(folder, "path"))
        self.metadata = Metadata.read(self.folder)
        # The variables live as long as the loaded object does.
        self._loaded = tf.saved_model.load(self.folder)
        self._check_endpoints()
        # Keras sees the variables of a list that is an attribute.
        self.adopted = [
            _adopted(variable, name)
            for collection in ("trainable_variables", "non_trainable_variables")
            for variable, name in zip(
                getattr(self._loaded, collection), getattr(self.metadata, collection), strict=True
            )
        ]
        self.built = True

    def _check_endpoints(self):
        missing = [name for name in ("serve", "train") if not hasattr(self._loaded, name)]
        if missing:
            raise ValueError(
                "Expected a folder that `export_backbone` wrote, with the endpoints `serve` and "
                f"`train`. Received: {self.folder!r}, without {missing}. "
                "Export the backbone with `keras_adasim.export.export_backbone`."
            )

    def call(self, images, training=False):
        """Looks at images.

        Args:
            images: (B, H, W, C), uint8 from 0 to 255 or floats from 0 to 1; with a `value_range`
                uint16 or floats as the files have them.
            training: Whether dropout, drop path and BatchNormalization act as in training.

        Returns:
            float32 `{"features": (B, D), "tokens": (B, P, D)}`, no tokens if the backbone has none.
        """
        images = self._check_images(images)
        if training and self.trainable:
            return self._loaded.train(images)
        return self._loaded.serve(images)

    def intermediate_class_tokens(self, images):
        """Class tokens of the last n blocks of a Vision Transformer; inference only.

        Args:
            images: As for a call.

        Returns:
            float32 tensor (B, n, D), where n is `metadata.last_blocks`.

        Raises:
            ValueError: If the backbone isn't a Vision Transformer.
        """
        if not self.metadata.last_blocks:
            raise ValueError(
                "Expected an exported Vision Transformer, which has class tokens. Received: "
                f"{self.folder!r}. Use `features` or `tokens` of this backbone."
            )
        return self._loaded.intermediate(self._check_images(images))["class_tokens"]

    def last_self_attention(self, images):
        """Attention of the last block of a Vision Transformer; inference only.

        Args:
            images: As for a call.

        Returns:
            float32 tensor (B, heads, 1 + P, 1 + P), a softmax: queries, then keys, the class token
            first.

        Raises:
            ValueError: If the backbone isn't one of our Vision Transformers, or was exported by an
                earlier version.
        """
        if not self.metadata.attention:
            raise ValueError(
                "Expected an exported Vision Transformer that tells where it looks. Received: "
                f"{self.folder!r}, without the endpoint `attention`. Export it again: "
                "`keras-adasim export --backbone=RUN --out=FOLDER`."
            )
        return self._loaded.attention(self._check_images(images))["attention"]

    def _check_images(self, images):
        images = tf.convert_to_tensor(images)
        check_channels(images, self.metadata.channels)
        check_type(images.dtype, self.metadata.value_range)
        return images if images.dtype.is_integer else tf.cast(images, tf.float32)

    def compute_output_shape(self, input_shape):
        """Shapes of features and tokens for images of shape (B, H, W, C)."""
        shapes = self._loaded.serve.concrete_functions[0].structured_outputs
        return {name: (input_shape[0], *shape.shape[1:]) for name, shape in shapes.items()}

    def get_config(self):
        """Returns the constructor's arguments."""
        config = super().get_config()
        config.pop("autocast", None)
        return {**config, "folder": self.folder}

    @classmethod
    def from_config(cls, config):
        """Makes the layer of a configuration; refused while loading a file in safe mode.

        Raises:
            ValueError: If a file is being loaded without `safe_mode=False`.
        """
        if keras.src.saving.serialization_lib.in_safe_mode():
            raise ValueError(
                f"Expected `safe_mode=False` to load a file whose layer runs the SavedModel at "
                f"{config['folder']!r}: SavedModels are programs. Received: safe_mode=True. If you "
                "trust that folder, pass `safe_mode=False` to `keras.saving.load_model`."
            )
        return cls(**config)


def _adopted(variable, path):
    """A loaded variable for Keras: the same memory, with a name that Keras accepts."""
    return keras.Variable(
        variable,
        dtype=variable.dtype.name,
        trainable=variable.trainable,
        autocast=False,
        name=path.replace("/", "_"),
    )
