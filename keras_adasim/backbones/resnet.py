"""torchvision's residual network."""

import keras
from keras import ops

from keras_adasim.layers.padded_convolution import PaddedConvolution
from keras_adasim.layers.reference_defaults import batch_norm
from keras_adasim.layers.residual_block import ResidualBlock
from keras_adasim.layers.torch_names import batch_norm_names, convolution_names, prefixed
from keras_adasim.validation import check_integer

STEMS = ("imagenet", "cifar")


@keras.saving.register_keras_serializable(package="keras_adasim")
class ResNet(keras.Model):
    """Residual network, version 1.5, for images of any size.

    Its batch normalization is synchronized over replicas. The model maps normalized float images
    (B, H, W, C) to a dictionary:

    - `features`: (B, D), the average of the last map;
    - `tokens`: (B, P, D), the last map, row by row.

    Args:
        image_size: Side in pixels of the images that it is meant for; changes no weight.
        filters: Width of the blocks of each stage. Stages after the first halve the map.
        num_blocks: Blocks of each stage.
        bottleneck: Whether the blocks are bottlenecks, whose output is four times as wide.
        stem: `"imagenet"`, a 7x7 convolution with a stride of 2 and a pooling, or `"cifar"`, a 3x3
            convolution with a stride of 1, for images of about 32 pixels.
        zero_init_residual: Whether every block starts as the identity.
        channels: Channels of the images, C.
        name: Name of the model.
        trainable: Whether its weights are trained.
        dtype: Dtype policy of all layers; `None` takes the global one.

    Attributes:
        feature_dim: Size of the features, D.

    Raises:
        ValueError: If a size is no positive integer, or the sizes don't fit each other.

    Reference:
        "Deep Residual Learning for Image Recognition", He et al., CVPR 2016, and torchvision's
        `resnet.py`, whose outputs it equals.

    Example:
        ```python
        backbone = ka.backbones.ResNet(16, filters=(8, 16), num_blocks=(1, 1), stem="cifar")
        outputs = backbone(np.zeros((2, 16, 16, 3), "float32"))
        features, tokens = outputs["features"], outputs["tokens"]  # (2, 16), (2, 64, 16)
        ```
    """

    torch_prefix = "backbone."
    # torchvision's classifier.
    torch_siblings = ("fc.",)

    def __init__(
        self,
        image_size,
        filters,
        num_blocks,
        bottleneck=False,
        stem="imagenet",
        zero_init_residual=False,
        channels=3,
        name=None,
        trainable=True,
        dtype=None,
    ):
        check_sizes(image_size, filters, num_blocks, stem, channels)
        dtype = keras.dtype_policies.get(dtype)

        # === Layers ===
        kernel_size, strides = (7, 2) if stem == "imagenet" else (3, 1)
        self.stem_convolution = PaddedConvolution(
            filters[0], kernel_size, strides, dtype=dtype, name="stem_convolution"
        )
        self.stem_norm = batch_norm(dtype, "stem_batch_norm")
        self.stages = [
            [
                ResidualBlock(
                    width,
                    strides=2 if stage > 0 and block == 0 else 1,
                    bottleneck=bottleneck,
                    zero_init_residual=zero_init_residual,
                    dtype=dtype,
                    name=f"stage_{stage}_block_{block}",
                )
                for block in range(depth)
            ]
            for stage, (width, depth) in enumerate(zip(filters, num_blocks, strict=True))
        ]

        # === Functional model ===
        images = keras.Input((None, None, channels), name="images")
        maps = ops.relu(self.stem_norm(self.stem_convolution(images)))
        if stem == "imagenet":
            # No value is below zero here, so that zeros are as good as PyTorch's minus infinity.
            format_ = {"data_format": "channels_last", "dtype": dtype}
            maps = keras.layers.ZeroPadding2D(1, name="stem_padding", **format_)(maps)
            maps = keras.layers.MaxPooling2D(3, 2, name="stem_pooling", **format_)(maps)
        for block in (block for stage in self.stages for block in stage):
            maps = block(maps)
        flatten = keras.layers.Reshape((-1, maps.shape[-1]), dtype=dtype, name="tokens")
        outputs = {"features": ops.mean(maps, axis=(1, 2)), "tokens": flatten(maps)}
        super().__init__(inputs=images, outputs=outputs, name=name, trainable=trainable)

        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})

        # === Config ===
        self.dtype_policy = dtype
        self.image_size = image_size
        self.filters = tuple(filters)
        self.num_blocks = tuple(num_blocks)
        self.bottleneck = bottleneck
        self.stem = stem
        self.zero_init_residual = zero_init_residual
        self.channels = channels

    @property
    def feature_dim(self):
        """Size of the features, D."""
        return self.stages[-1][-1].output_filters

    @property
    def layer_groups(self):
        """Lists of layers from the input to the output, whose learning rates may differ."""
        return [[self.stem_convolution, self.stem_norm], *map(list, self.stages), []]

    def torch_names(self):
        """Names of the variables in torchvision's `state_dict`, see `layers.torch_names`."""
        names = {
            **prefixed("conv1", convolution_names(self.stem_convolution)),
            **prefixed("bn1", batch_norm_names(self.stem_norm)),
        }
        for i, stage in enumerate(self.stages, start=1):
            for j, block in enumerate(stage):
                names |= prefixed(f"layer{i}.{j}", block.torch_names())
        return names

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "image_size": self.image_size,
            "filters": list(self.filters),
            "num_blocks": list(self.num_blocks),
            "bottleneck": self.bottleneck,
            "stem": self.stem,
            "zero_init_residual": self.zero_init_residual,
            "channels": self.channels,
        }


def check_sizes(image_size, filters, num_blocks, stem, channels):
    """Raises ValueError unless a residual network of these sizes can be built."""
    for name, values in (
        ("image_size", [image_size]),
        ("filters", filters),
        ("num_blocks", num_blocks),
        ("channels", [channels]),
    ):
        for value in values:
            check_integer(name, value)
    if len(filters) != len(num_blocks) or not filters:
        raise ValueError(
            "Expected `filters` and `num_blocks` to have one entry for every stage. Received: "
            f"filters={filters}, num_blocks={num_blocks}"
        )
    if stem not in STEMS:
        raise ValueError(f"Expected `stem` to be one of {STEMS}. Received: stem={stem!r}")
