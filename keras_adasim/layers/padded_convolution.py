"""A convolution that pads as PyTorch does."""

import keras
from keras import ops

from keras_adasim.validation import check_integer


@keras.saving.register_keras_serializable(package="keras_adasim")
class PaddedConvolution(keras.layers.Conv2D):
    """Convolution without bias, its input padded with `kernel_size // 2` zeros on every side.

    Keras' own "same" pads the end more than the start when the stride is 2, which shifts the maps
    of a network with PyTorch's weights. The kernel starts normal with a variance of 2 / fan-out.

    Args:
        filters: Channels of the output.
        kernel_size: Side of the kernel, an odd integer.
        strides: Stride in both directions, an integer.

    Reference:
        Torchvision's `resnet.py` for padding and start.
    """

    def __init__(self, filters, kernel_size, strides=1, **kwargs):
        filters = check_integer("filters", filters)
        kernel_size = check_integer("kernel_size", kernel_size)
        strides = check_integer("strides", strides)
        if kernel_size % 2 == 0:
            raise ValueError(
                f"Expected `kernel_size` to be odd. Received: kernel_size={kernel_size}"
            )
        # With a stride of 1 the two paddings are the same, and that of the operation costs nothing.
        padding = "same" if strides == 1 else "valid"
        initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=initializer,
            **kwargs,
        )

    def call(self, inputs):
        """Convolves a map (B, H, W, C)."""
        size, strides = self.kernel_size[0], self.strides[0]
        if size == 1:
            # The same, without a stride: oneDNN's gradient of a strided 1x1 convolution over few
            # channels writes past its memory (TensorFlow 2.21 on a CPU).
            inputs, strides = inputs[:, ::strides, ::strides], 1
        elif strides > 1:
            pad = (size // 2, size // 2)
            inputs = ops.pad(inputs, [(0, 0), pad, pad, (0, 0)])
        return ops.conv(inputs, self.kernel, strides, self.padding, self.data_format)

    def compute_output_shape(self, input_shape):
        """(B, H, W, C) to (B, ceil(H / strides), ceil(W / strides), filters)."""
        batch, *sides, _ = input_shape
        sides = (side and -(-side // self.strides[0]) for side in sides)
        return (batch, *sides, self.filters)

    def get_config(self):
        """Returns the constructor's arguments."""
        config = super().get_config()
        return {
            **{name: config[name] for name in ("name", "trainable", "dtype", "filters")},
            "kernel_size": self.kernel_size[0],
            "strides": self.strides[0],
        }
