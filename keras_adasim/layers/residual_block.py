"""One block of a residual network."""

import keras
from keras import ops

from keras_adasim.layers.padded_convolution import PaddedConvolution
from keras_adasim.layers.reference_defaults import batch_norm
from keras_adasim.layers.torch_names import batch_norm_names, convolution_names, prefixed
from keras_adasim.validation import check_integer, check_switch


@keras.saving.register_keras_serializable(package="keras_adasim")
class ResidualBlock(keras.layers.Layer):
    """`relu(shortcut(x) + branch(x))` over maps (B, H, W, C).

    The branch is two 3x3 convolutions or, as a bottleneck, a 1x1, a 3x3 and a 1x1 convolution that
    ends four times as wide. Every convolution is followed by synchronized batch normalization. The
    first 3x3 convolution has the stride (version 1.5). The shortcut is the input itself, or a 1x1
    convolution where its shape differs from the branch's.

    Args:
        filters: Width of the 3x3 convolutions.
        strides: Stride of the block.
        bottleneck: Whether the branch is a bottleneck.
        zero_init_residual: Whether the branch starts at zero, so that the block does nothing at
            first.

    Reference:
        `BasicBlock` and `Bottleneck` of torchvision.
    """

    def __init__(self, filters, strides=1, bottleneck=False, zero_init_residual=False, **kwargs):
        super().__init__(**kwargs)
        self.filters = check_integer("filters", filters)
        self.strides = check_integer("strides", strides)
        self.bottleneck = check_switch("bottleneck", bottleneck)
        self.zero_init_residual = check_switch("zero_init_residual", zero_init_residual)

    @property
    def output_filters(self):
        """Channels of the block's output."""
        return 4 * self.filters if self.bottleneck else self.filters

    def build(self, input_shape):
        """Creates the layers for maps (B, H, W, C)."""
        if self.bottleneck:
            sizes = (
                (self.filters, 1, 1),
                (self.filters, 3, self.strides),
                (4 * self.filters, 1, 1),
            )
        else:
            sizes = ((self.filters, 3, self.strides), (self.filters, 3, 1))
        pairs, shape = [], input_shape
        for number, size in enumerate(sizes, start=1):
            last_gamma = "zeros" if self.zero_init_residual and number == len(sizes) else "ones"
            pairs.append(self._convolution_and_norm(shape, *size, f"_{number}", last_gamma))
            shape = pairs[-1][0].compute_output_shape(shape)
        self.convolutions, self.batch_norms = map(list, zip(*pairs, strict=True))
        self.projection, self.projection_norm = None, None
        if self.strides != 1 or input_shape[-1] != self.output_filters:
            self.projection, self.projection_norm = self._convolution_and_norm(
                input_shape, self.output_filters, 1, self.strides, "_shortcut"
            )
        self.built = True

    def _convolution_and_norm(self, shape, filters, kernel_size, strides, ending, gamma="ones"):
        policy = self.dtype_policy
        convolution = PaddedConvolution(
            filters, kernel_size, strides, dtype=policy, name=f"convolution{ending}"
        )
        norm = batch_norm(policy, f"batch_norm{ending}", gamma_initializer=gamma)
        convolution.build(shape)
        norm.build(convolution.compute_output_shape(shape))
        return convolution, norm

    def call(self, inputs, training=False):
        """Maps (B, H, W, C) to (B, ceil(H / strides), ceil(W / strides), output_filters)."""
        branch = inputs
        for convolution, norm in zip(self.convolutions, self.batch_norms, strict=True):
            branch = norm(convolution(branch), training=training)
            if norm is not self.batch_norms[-1]:
                branch = ops.relu(branch)
        if self.projection is not None:
            inputs = self.projection_norm(self.projection(inputs), training=training)
        return ops.relu(inputs + branch)

    def torch_names(self):
        """PyTorch's names of the variables, see `layers.torch_names`."""
        names = {}
        pairs = zip(self.convolutions, self.batch_norms, strict=True)
        for number, (convolution, norm) in enumerate(pairs, start=1):
            names |= prefixed(f"conv{number}", convolution_names(convolution))
            names |= prefixed(f"bn{number}", batch_norm_names(norm))
        if self.projection is not None:
            names |= prefixed("downsample.0", convolution_names(self.projection))
            names |= prefixed("downsample.1", batch_norm_names(self.projection_norm))
        return names

    def compute_output_shape(self, input_shape):
        """(B, H, W, C) to (B, ceil(H / strides), ceil(W / strides), output_filters)."""
        batch, *sides, _ = input_shape
        sides = (side and -(-side // self.strides) for side in sides)
        return (batch, *sides, self.output_filters)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "bottleneck": self.bottleneck,
            "zero_init_residual": self.zero_init_residual,
        }
