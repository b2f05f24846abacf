"""Any Keras model of images as a backbone."""

import math

import keras
from keras import ops

from keras_adasim.backbones.hub_positions import keep_positions
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.validation import check_per_channel


@keras.saving.register_keras_serializable(package="keras_adasim")
class AdaptedBackbone(keras.Model):
    """Gives the features and tokens of a model from elsewhere; made by `adapt`.

    What the model's output means is read from its shape:

    - a map (B, h, w, D): its positions are the tokens, row by row, and their average the
      features; of several maps the one with the most channels is taken;
    - a sequence (B, T, D): the largest square number of tokens, counted from the end, are the
      patches, those before it class and register tokens. Features are the first of these or,
      if there are none, the average of the patches;
    - `{"sequence_output", "pooled_output"}`: tokens from the first, features are the second;
    - a vector (B, D): features; there are no tokens, and the dictionary doesn't name them.

    Args:
        backbone: Functional `keras.Model` with one input (B, H, W, C). Its weights are shared,
            and its batch normalization becomes synchronized.
        image_size: Side in pixels of the images it is meant for.
        num_prefix_tokens: Class and register tokens at the start of a sequence; `None` finds out.
        mean: C means that its images were normalized with, on the scale from 0 to 1; `None` where
            that isn't known.
        std: C standard deviations, likewise.
        name: Name of the model.
        trainable: Whether what isn't frozen yet is trained; if false, all of it is frozen.
        dtype: Dtype policy; `None` takes that of the backbone's last layer.

    Attributes:
        feature_dim: Size of the features, D.
        fixed_image_size: The only side of images that the backbone takes; `None` if any.
        preprocessing_layers: Names of its layers that scale or normalize images.

    Example:
        ```python
        images = keras.Input((None, None, 3))
        maps = keras.layers.Conv2D(8, 3, strides=2)(images)
        backbone = ka.backbones.AdaptedBackbone(keras.Model(images, maps), image_size=32)
        tokens = backbone(np.zeros((2, 32, 32, 3), "float32"))["tokens"]  # (2, 225, 8)
        ```
    """

    def __init__(
        self,
        backbone,
        image_size,
        num_prefix_tokens=None,
        mean=None,
        std=None,
        name=None,
        trainable=True,
        dtype=None,
    ):
        (inner_input,) = backbone.inputs
        _, height, _, channels = inner_input.shape
        layers = sublayers(backbone, include_self=False)
        for layer in layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True

        # === Functional model ===
        images = keras.Input(inner_input.shape[1:], name="images")
        outputs = backbone(keras.tree.pack_sequence_as(backbone.input, [images]))
        outputs = features_and_tokens(outputs, num_prefix_tokens)
        super().__init__(inputs=images, outputs=outputs, name=name or f"adapted_{backbone.name}")
        if not trainable:
            self.trainable = False
        # The size is checked below, with a message of ours.
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})

        # === Config ===
        policy = backbone.layers[-1].dtype_policy if dtype is None else dtype
        self.dtype_policy = keras.dtype_policies.get(policy)
        self.backbone = backbone
        self.image_size = image_size
        self.num_prefix_tokens = num_prefix_tokens
        self.mean = None if mean is None else check_per_channel("mean", mean, channels)
        self.std = None if std is None else check_per_channel("std", std, channels, above=0)
        self.channels = channels
        self.fixed_image_size = height
        self.preprocessing_layers = tuple(
            layer.name
            for layer in layers
            if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization)
        )

    @property
    def feature_dim(self):
        """Size of the features, D."""
        return self.output["features"].shape[-1]

    def call(self, inputs, training=None, mask=None):
        """Looks at images.

        Args:
            inputs: Floats (B, H, W, C), normalized.
            training: Passed to the backbone.
            mask: Of no use.

        Returns:
            `{"features": (B, D), "tokens": (B, P, D)}`, or without the tokens.

        Raises:
            ValueError: If the images aren't of the only size that the backbone takes.
        """
        size = self.fixed_image_size
        if size and any(side not in (None, size) for side in inputs.shape[1:3]):
            raise ValueError(
                f"Expected images of {size} x {size} pixels, the only size that "
                f"{self.backbone.name} was built for. Received: shape={tuple(inputs.shape)}. "
                "Build it for any size where it can be (keras.applications: "
                "`input_shape=(None, None, 3)`), or use no crops of another size "
                f"(`MultiCrop({size}, num_local=0)`, or `local_size={size}`)."
            )
        return super().call(inputs, training=training, mask=mask)

    def save_own_variables(self, store):
        """Has the layers below store what they use; Keras asks the outermost model first."""
        keep_positions(self.backbone)
        super().save_own_variables(store)

    def get_config(self):
        """Returns the constructor's arguments, the backbone serialized."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "image_size": self.image_size,
            "num_prefix_tokens": self.num_prefix_tokens,
            "mean": None if self.mean is None else list(self.mean),
            "std": None if self.std is None else list(self.std),
        }

    @classmethod
    def from_config(cls, config):
        """Rebuilds the backbone, with new weights, and adapts it."""
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**{**config, "backbone": backbone})


def features_and_tokens(outputs, num_prefix_tokens):
    """Turns a model's symbolic outputs into the dictionary of a backbone."""
    pooled = None
    if isinstance(outputs, dict) and "sequence_output" in outputs:
        outputs, pooled = outputs["sequence_output"], outputs.get("pooled_output")
    maps = keras.tree.flatten(outputs)
    if len(maps) > 1 and all(len(each.shape) == 4 for each in maps):
        outputs = max(maps, key=lambda each: each.shape[-1])
    rank = len(getattr(outputs, "shape", ()))
    if rank == 2:
        return {"features": outputs}
    if rank == 4:
        _, height, width, dim = outputs.shape
        length = height * width if height and width else -1
        reshape = keras.layers.Reshape((length, dim), dtype=outputs.dtype, name="tokens")
        return {"features": ops.mean(outputs, axis=(1, 2)), "tokens": reshape(outputs)}
    if rank != 3:
        raise ValueError(
            "Expected a model that gives maps (B, h, w, D), a sequence (B, T, D), a vector (B, D) "
            "or a dictionary with `sequence_output`. Received: outputs of shapes "
            f"{keras.tree.map_structure(lambda each: tuple(each.shape), outputs)}. Choose one: "
            "`keras.Model(model.input, output)`."
        )
    prefix = prefix_length(outputs.shape[1], num_prefix_tokens)
    tokens = outputs[:, prefix:]
    if pooled is None:
        pooled = outputs[:, 0] if prefix else ops.mean(tokens, axis=1)
    return {"features": pooled, "tokens": tokens}


def prefix_length(length, num_prefix_tokens):
    """Returns how many tokens of a sequence come before the patches.

    Args:
        length: Tokens of the sequence; `None` if it has no fixed length.
        num_prefix_tokens: The answer, where it is known; `None` finds out.

    Raises:
        ValueError: If neither is known.
    """
    if num_prefix_tokens is not None:
        return num_prefix_tokens
    if length is None:
        raise ValueError(
            "Expected `num_prefix_tokens`, the number of class and register tokens before the "
            "patches, as the model's sequences have no fixed length. Received: "
            "num_prefix_tokens=None. Pass 1 for a class token, 0 for none."
        )
    return length - math.isqrt(length) ** 2
