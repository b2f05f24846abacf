"""Multi-head self-attention as in DINO's vision transformer."""

import keras
from keras import ops

from keras_adasim.layers.reference_defaults import dense
from keras_adasim.layers.torch_names import dense_names, prefixed
from keras_adasim.validation import check_integer


@keras.saving.register_keras_serializable(package="keras_adasim")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention over tokens (B, T, D); the softmax is always float32.

    Query, key and value come from one dense layer with bias.

    Args:
        num_heads: Number of heads; must divide D.
    """

    def __init__(self, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = check_integer("num_heads", num_heads)

    def build(self, input_shape):
        """Creates the dense layers `qkv` (3 D wide) and `projection`."""
        dim = input_shape[-1]
        if dim % self.num_heads:
            raise ValueError(
                "Expected `num_heads` to divide the token size. Received: "
                f"num_heads={self.num_heads} for tokens of size {dim}"
            )
        self.head_dim = dim // self.num_heads
        self.qkv = dense(3 * dim, self.dtype_policy, "qkv")
        self.qkv.build(input_shape)
        self.projection = dense(dim, self.dtype_policy, "projection")
        self.projection.build(input_shape)
        self.built = True

    def call(self, tokens):
        """Attends over `tokens`, (B, T, D) to (B, T, D)."""
        return self.attend(tokens)

    def attend(self, tokens, bias=None):
        """What a call does, with a bias that isn't cast to half precision.

        Args:
            tokens: Floats (B, T, D).
            bias: Float32 (G, heads, T, T), added to the scores: the i-th sequence gets the
                entry i modulo G. G must divide B.

        Returns:
            (B, T, D).
        """
        query, key, value = self._heads(tokens)
        weights = ops.cast(self._softmax(query, key, bias), value.dtype)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return self.projection(ops.reshape(mixed, ops.shape(tokens)))

    def attention_weights(self, tokens):
        """The softmax of each query over the keys, float32 (B, heads, T, T)."""
        query, key, _ = self._heads(tokens)
        return self._softmax(query, key)

    def _heads(self, tokens):
        batch, length, _ = ops.shape(tokens)
        qkv = ops.reshape(self.qkv(tokens), (batch, length, 3, self.num_heads, self.head_dim))
        return ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), 3, axis=0)

    def _softmax(self, query, key, bias=None):
        scores = ops.matmul(query * self.head_dim**-0.5, ops.transpose(key, (0, 1, 3, 2)))
        scores = ops.cast(scores, "float32")
        if bias is not None:
            shape = ops.shape(scores)
            scores = ops.reshape(ops.reshape(scores, (-1, *ops.shape(bias))) + bias, shape)
        return ops.softmax(scores, axis=-1)

    def torch_names(self):
        """PyTorch's names of the variables, see `layers.torch_names`."""
        qkv = prefixed("qkv", dense_names(self.qkv))
        return qkv | prefixed("proj", dense_names(self.projection))

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_heads": self.num_heads}
