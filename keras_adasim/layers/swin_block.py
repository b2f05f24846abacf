"""One block of a Swin transformer."""

import keras

from keras_adasim.layers.transformer_block import TransformerBlock
from keras_adasim.layers.window_attention import WindowAttention
from keras_adasim.validation import check_integer


@keras.saving.register_keras_serializable(package="keras_adasim")
class SwinBlock(TransformerBlock):
    """A `TransformerBlock` over maps (B, H, W, D) whose attention stays within windows.

    Args:
        num_heads: Number of attention heads; must divide the token size D.
        window_size: Side of a window in tokens.
        shift: Rows and columns by which the windows are displaced.
        mlp_ratio: Width of the MLP's hidden layer, in multiples of D.
        drop_path_rate: Probability of leaving a branch out in training.

    Reference:
        `SwinTransformerBlock` of the official EsViT code.
    """

    def __init__(
        self, num_heads, window_size, shift=0, mlp_ratio=4.0, drop_path_rate=0.0, **kwargs
    ):
        super().__init__(num_heads, mlp_ratio, drop_path_rate, **kwargs)
        self.window_size = check_integer("window_size", window_size)
        self.shift = check_integer("shift", shift, minimum=0)

    def make_attention(self):
        """A new `WindowAttention`."""
        return WindowAttention(
            self.num_heads,
            self.window_size,
            self.shift,
            dtype=self.dtype_policy,
            name="attention",
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "window_size": self.window_size,
            "shift": self.shift,
        }
