"""One block of a vision transformer."""

import keras
from keras import ops

from keras_adasim.layers.drop_path import DropPath
from keras_adasim.layers.reference_defaults import dense, layer_norm
from keras_adasim.layers.self_attention import SelfAttention
from keras_adasim.layers.torch_names import dense_names, layer_norm_names, prefixed
from keras_adasim.validation import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class TransformerBlock(keras.layers.Layer):
    """Pre-norm block: `x += attention(norm(x))`, then `x += mlp(norm(x))`.

    The MLP has one hidden layer with an exact GELU. Both branches are subject to drop path.

    Args:
        num_heads: Number of attention heads; must divide the token size D.
        mlp_ratio: Width of the MLP's hidden layer, in multiples of D.
        drop_path_rate: Probability of leaving a branch out in training.

    Reference:
        `Block` of the official DINO code.
    """

    def __init__(self, num_heads, mlp_ratio=4.0, drop_path_rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = check_integer("num_heads", num_heads)
        self.mlp_ratio = check_number("mlp_ratio", mlp_ratio, above=0)
        self.drop_path_rate = check_number("drop_path_rate", drop_path_rate, minimum=0, below=1)
        self.drop_path = DropPath(self.drop_path_rate, dtype=self.dtype_policy, name="drop_path")

    def build(self, input_shape):
        """Creates the layers for tokens (B, T, D)."""
        dim, policy = input_shape[-1], self.dtype_policy
        hidden = int(dim * self.mlp_ratio)
        self.attention_norm = layer_norm(policy, "attention_norm")
        self.attention = self.make_attention()
        self.mlp_norm = layer_norm(policy, "mlp_norm")
        self.mlp_hidden = dense(hidden, policy, "mlp_hidden")
        self.mlp_output = dense(dim, policy, "mlp_output")
        for layer in (self.attention_norm, self.attention, self.mlp_norm, self.mlp_hidden):
            layer.build(input_shape)
        self.mlp_output.build((*input_shape[:-1], hidden))
        self.drop_path.build(input_shape)
        self.built = True

    def make_attention(self):
        """A new attention layer; subclasses have others."""
        return SelfAttention(self.num_heads, dtype=self.dtype_policy, name="attention")

    def call(self, tokens, training=False):
        """Maps tokens (B, T, D) to (B, T, D)."""
        branch = self.attention(self.attention_norm(tokens))
        tokens = tokens + self.drop_path(branch, training=training)
        branch = ops.gelu(self.mlp_hidden(self.mlp_norm(tokens)), approximate=False)
        return tokens + self.drop_path(self.mlp_output(branch), training=training)

    def attention_weights(self, tokens):
        """The block's softmax attention for the tokens that enter it, (B, heads, T, T)."""
        return self.attention.attention_weights(self.attention_norm(tokens))

    def torch_names(self):
        """PyTorch's names of the variables, see `layers.torch_names`."""
        return {
            **prefixed("norm1", layer_norm_names(self.attention_norm)),
            **prefixed("attn", self.attention.torch_names()),
            **prefixed("norm2", layer_norm_names(self.mlp_norm)),
            **prefixed("mlp.fc1", dense_names(self.mlp_hidden)),
            **prefixed("mlp.fc2", dense_names(self.mlp_output)),
        }

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mlp_ratio": self.mlp_ratio,
            "drop_path_rate": self.drop_path_rate,
        }
