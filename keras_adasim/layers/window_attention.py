"""Self-attention within windows, as in Swin."""

import keras
import tensorflow as tf
from keras import ops

from keras_adasim.layers.reference_defaults import normal_initializer
from keras_adasim.layers.self_attention import SelfAttention
from keras_adasim.layers.windows import (
    from_windows,
    pad_to_windows,
    relative_positions,
    shift_mask,
    to_windows,
)
from keras_adasim.validation import check_integer


@keras.saving.register_keras_serializable(package="keras_adasim")
class WindowAttention(keras.layers.Layer):
    """Multi-head self-attention within square windows of a map (B, H, W, D) of any size.

    A learned bias is added to the scores for every offset between two tokens. Maps are padded with
    zeros to multiples of the window. With a shift the windows are displaced, and wrap around the
    map without letting its opposite sides see each other.

    Args:
        num_heads: Number of heads; must divide D.
        window_size: Side of a window in tokens w.
        shift: Rows and columns by which the windows are displaced, 0 to `window_size` - 1.

    Attributes:
        position_bias: Float32 ((2 * w - 1) ** 2, heads), a row for every offset.

    Reference:
        `WindowAttention` and `SwinTransformerBlock` of the official EsViT code.
    """

    def __init__(self, num_heads, window_size, shift=0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = check_integer("num_heads", num_heads)
        self.window_size = check_integer("window_size", window_size)
        self.shift = check_integer("shift", shift, minimum=0)
        if self.shift >= self.window_size:
            raise ValueError(
                "Expected `shift` to be below `window_size`. Received: "
                f"shift={shift}, window_size={window_size}"
            )

    def build(self, input_shape):
        """Creates the attention's layers and the bias."""
        size = self.window_size
        self.attention = SelfAttention(
            self.num_heads, dtype=self.dtype_policy, name="self_attention"
        )
        self.attention.build((None, size * size, input_shape[-1]))
        self.position_bias = self.add_weight(
            name="position_bias",
            shape=((2 * size - 1) ** 2, self.num_heads),
            initializer=normal_initializer(),
            autocast=False,
        )
        self.built = True

    def call(self, tokens):
        """Attends over a map (B, H, W, D); the result has its shape."""
        height, width = ops.shape(tokens)[1:3]
        tokens = pad_to_windows(tokens, self.window_size)
        padded = ops.shape(tokens)[1:3]
        tokens = self._rolled(tokens, -self.shift)
        windows = to_windows(tokens, self.window_size)
        windows = self.attention.attend(windows, self._bias(*padded))
        tokens = self._rolled(from_windows(windows, *padded), self.shift)
        return tokens[:, :height, :width]

    def _rolled(self, tokens, by):
        return tf.roll(tokens, (by, by), (1, 2)) if by else tokens

    def _bias(self, height, width):
        """What is added to the scores, float32 (windows or 1, heads, w * w, w * w)."""
        positions = relative_positions(self.window_size)
        # Along the second axis, where the gradient is a tensor and not a set of slices.
        bias = ops.take(ops.transpose(self.position_bias), positions, axis=1)[None]
        if self.shift:
            bias += shift_mask(height, width, self.window_size, self.shift)[:, None]
        return bias

    def torch_names(self):
        """PyTorch's names of the variables, see `layers.torch_names`."""
        table = {"relative_position_bias_table": (self.position_bias, None)}
        return self.attention.torch_names() | table

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "window_size": self.window_size,
            "shift": self.shift,
        }
