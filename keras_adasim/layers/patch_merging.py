"""Halves a map of tokens."""

import keras
from keras import ops

from keras_adasim.layers.reference_defaults import layer_norm, normal_initializer
from keras_adasim.layers.torch_names import dense_names, layer_norm_names, prefixed
from keras_adasim.layers.windows import pad_to_windows


@keras.saving.register_keras_serializable(package="keras_adasim")
class PatchMerging(keras.layers.Layer):
    """Joins every 2 x 2 tokens of a map: (B, H, W, D) to (B, ceil(H / 2), ceil(W / 2), 2 D).

    The four tokens are concatenated column by column, normalized and projected without bias. An
    odd side is padded with zeros.

    Reference:
        `PatchMerging` of the official EsViT code.
    """

    def build(self, input_shape):
        """Creates norm and projection for tokens of size D."""
        dim, policy = input_shape[-1], self.dtype_policy
        self.norm = layer_norm(policy, "norm")
        self.reduction = keras.layers.Dense(
            2 * dim,
            use_bias=False,
            kernel_initializer=normal_initializer(),
            dtype=policy,
            name="reduction",
        )
        for layer in (self.norm, self.reduction):
            layer.build((*input_shape[:-1], 4 * dim))
        self.built = True

    def call(self, tokens):
        """Merges the tokens of a map (B, H, W, D)."""
        tokens = pad_to_windows(tokens, 2)
        height, width, dim = ops.shape(tokens)[1:]
        tokens = ops.reshape(tokens, (-1, height // 2, 2, width // 2, 2, dim))
        tokens = ops.transpose(tokens, (0, 1, 3, 4, 2, 5))
        tokens = ops.reshape(tokens, (-1, height // 2, width // 2, 4 * dim))
        return self.reduction(self.norm(tokens))

    def torch_names(self):
        """PyTorch's names of the variables, see `layers.torch_names`."""
        norm = prefixed("norm", layer_norm_names(self.norm))
        return norm | prefixed("reduction", dense_names(self.reduction))

    def compute_output_shape(self, input_shape):
        """(B, H, W, D) to (B, ceil(H / 2), ceil(W / 2), 2 D)."""
        batch, *sides, dim = input_shape
        return (batch, *(side and -(-side // 2) for side in sides), 2 * dim)

    def get_config(self):
        """Returns the constructor's arguments; there are none but those of every layer."""
        return super().get_config()
