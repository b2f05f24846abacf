"""The class token and the positions of a vision transformer's tokens."""

import keras
import tensorflow as tf
from keras import ops

from keras_adasim.layers.reference_defaults import normal_initializer
from keras_adasim.validation import check_integer


@keras.saving.register_keras_serializable(package="keras_adasim")
class PositionEmbedding(keras.layers.Layer):
    """Puts the class token before the patch tokens and adds position embeddings.

    (B, rows, columns, D) becomes (B, 1 + rows * columns, D), patches row by row. The learned
    embeddings belong to a square grid; for any other grid they are resized as DINO does.

    Args:
        grid_size: Side of the square grid in patches, at the training image size.

    Reference:
        `interpolate_pos_encoding` of the official DINO code.
    """

    def __init__(self, grid_size, **kwargs):
        super().__init__(**kwargs)
        self.grid_size = check_integer("grid_size", grid_size)

    def build(self, input_shape):
        """Creates `class_token` (1, 1, D) and `embedding` (1, 1 + grid_size ** 2, D)."""
        dim = input_shape[-1]
        self.class_token = self.add_weight(
            name="class_token", shape=(1, 1, dim), initializer=normal_initializer()
        )
        # Not cast to half precision before it is resized.
        self.embedding = self.add_weight(
            name="embedding",
            shape=(1, 1 + self.grid_size**2, dim),
            initializer=normal_initializer(),
            autocast=False,
        )
        self.built = True

    def call(self, patches):
        """Turns a map of patch tokens into the sequence of all tokens."""
        batch, rows, columns, dim = ops.shape(patches)
        tokens = ops.reshape(patches, (batch, rows * columns, dim))
        class_tokens = ops.broadcast_to(ops.cast(self.class_token, tokens.dtype), (batch, 1, dim))
        tokens = ops.concatenate([class_tokens, tokens], axis=1)
        return tokens + ops.cast(self.resized(rows, columns), tokens.dtype)

    def resized(self, rows, columns):
        """Position embeddings of a grid of `rows` x `columns` patches.

        Args:
            rows: Integer or scalar tensor.
            columns: Integer or scalar tensor.

        Returns:
            Float32 (1, 1 + rows * columns, D); the stored ones for the square training grid.
        """
        size, embedding = self.grid_size, ops.convert_to_tensor(self.embedding)
        known = isinstance(rows, int) and isinstance(columns, int)
        if known and rows == columns == size:
            return embedding
        as_stored = ops.logical_and(ops.equal(rows, size), ops.equal(columns, size))
        dim = embedding.shape[-1]
        # Along one axis at a time: (rows, size) x (size, size * D), then the same for the columns.
        grid = ops.reshape(embedding[:, 1:], (size, size * dim))
        grid = ops.matmul(bicubic_weights(rows, size, as_stored), grid)
        grid = ops.reshape(grid, (rows, size, dim))
        grid = ops.matmul(bicubic_weights(columns, size, as_stored), grid)
        grid = ops.reshape(grid, (1, rows * columns, dim))
        return ops.concatenate([embedding[:, :1], grid], axis=1)

    def compute_output_shape(self, input_shape):
        """(B, rows, columns, D) to (B, 1 + rows * columns, D)."""
        batch, rows, columns, dim = input_shape
        known = rows is not None and columns is not None
        return (batch, 1 + rows * columns if known else None, dim)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "grid_size": self.grid_size}


def bicubic_weights(target, size, as_stored):
    """The matrix that resizes an axis of `size` entries to `target` entries.

    Cubic convolution with a = -0.75, edge taps repeated, no antialiasing: PyTorch's `interpolate`
    with DINO's scale factor `(target + 0.1) / size`, which PyTorch takes literally.

    Args:
        target: Integer or scalar tensor.
        size: Integer.
        as_stored: Boolean tensor; where true the matrix is the identity.

    Returns:
        Float32 (target, size), rows summing to 1.
    """
    places = tf.range(target, dtype="float32")
    sources = (places + 0.5) * (size / (tf.cast(target, "float32") + 0.1)) - 0.5
    sources = tf.where(as_stored, places, sources)
    first = tf.floor(sources)
    # Offset 0 to 3 stands for the taps at -1, 0, 1 and 2 from the entry below the source.
    taps = first[:, None] + tf.range(-1.0, 3.0)
    distances = tf.abs(taps - sources[:, None])
    indices = tf.cast(tf.clip_by_value(taps, 0.0, size - 1.0), "int32")
    return tf.einsum("tk,tks->ts", cubic_kernel(distances), tf.one_hot(indices, size))


def cubic_kernel(distance, a=-0.75):
    """Keys' cubic convolution kernel at distances in [0, 2]."""
    near = ((a + 2.0) * distance - (a + 3.0)) * distance**2 + 1.0
    far = ((distance - 5.0) * distance + 8.0) * distance * a - 4.0 * a
    return tf.where(distance <= 1.0, near, far)
