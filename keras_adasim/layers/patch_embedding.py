"""Cuts images into patches and projects each of them."""

import keras
import tensorflow as tf
from keras import ops

from keras_adasim.layers.reference_defaults import uniform_initializer
from keras_adasim.validation import check_integer


@keras.saving.register_keras_serializable(package="keras_adasim")
class PatchEmbedding(keras.layers.Layer):
    """Projects every patch of an image linearly: (B, H, W, C) to (B, H / P, W / P, D).

    It is the convolution whose stride is its kernel's size, written as one matrix product. Kernel
    and bias start uniform in +-1 / sqrt(P * P * C), as PyTorch's convolution does, which DINO
    leaves as it is.

    Args:
        patch_size: Side of a patch in pixels P.
        embed_dim: Size of a token D.
    """

    def __init__(self, patch_size, embed_dim, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = check_integer("patch_size", patch_size)
        self.embed_dim = check_integer("embed_dim", embed_dim)

    def build(self, input_shape):
        """Creates kernel (P, P, C, D) and bias (D,) for images of shape (B, H, W, C)."""
        size, channels = self.patch_size, input_shape[-1]
        fan_in = size * size * channels
        self.kernel = self.add_weight(
            name="kernel",
            shape=(size, size, channels, self.embed_dim),
            initializer=uniform_initializer(fan_in),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.embed_dim,), initializer=uniform_initializer(fan_in)
        )
        self.built = True

    def call(self, images):
        """Embeds `images`; raises ValueError if the patch does not divide their size."""
        size = self.patch_size
        height, width, channels = ops.shape(images)[1:]
        with tf.control_dependencies(self._check_size(height, width)):
            rows, columns = height // size, width // size
            patches = ops.reshape(images, (-1, rows, size, columns, size, channels))
            patches = ops.transpose(patches, (0, 1, 3, 2, 4, 5))
        patches = ops.reshape(patches, (-1, rows, columns, size * size * channels))
        return ops.matmul(patches, ops.reshape(self.kernel, (-1, self.embed_dim))) + self.bias

    def _check_size(self, height, width):
        size = self.patch_size
        wanted = (
            f"Expected images whose height and width are multiples of patch_size={size}. Resize or "
            "crop them."
        )
        if isinstance(height, int) and isinstance(width, int):
            if height % size or width % size:
                raise ValueError(f"{wanted} Received: height={height}, width={width}")
            return []
        # Known when the graph runs only.
        remainders = [height % size, width % size]
        return [tf.debugging.assert_equal(remainders, [0, 0], message=wanted)]

    def compute_output_shape(self, input_shape):
        """(B, H, W, C) to (B, H / P, W / P, D)."""
        batch, height, width, _ = input_shape
        sides = (side and side // self.patch_size for side in (height, width))
        return (batch, *sides, self.embed_dim)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "patch_size": self.patch_size,
            "embed_dim": self.embed_dim,
        }
