"""Linear maps of images along height and width, as batched matrix products."""

import tensorflow as tf


def apply_separable(images, rows, columns):
    """Multiplies every image by its own matrix from the left and from the right.

    XLA compiles the two products for every device, where it has no kernel for CropAndResize and
    turns a convolution with one kernel per image into a slow loop.

    Args:
        images: (B, H, W, C) float tensor.
        rows: (B, h, H) float tensor, the weights along the height.
        columns: (B, w, W) float tensor, the weights along the width.

    Returns:
        (B, h, w, C) float tensor.
    """
    # With the channels in front each product is B x C full matrices, not B x H thin ones.
    planes = tf.transpose(images, (0, 3, 1, 2))
    planes = tf.matmul(rows[:, None], planes)
    planes = tf.matmul(planes, columns[:, None], transpose_b=True)
    return tf.transpose(planes, (0, 2, 3, 1))
