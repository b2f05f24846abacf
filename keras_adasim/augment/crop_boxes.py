"""Random boxes for random-resized crops, without loops or state."""

import math

import tensorflow as tf

RATIO = (3 / 4, 4 / 3)
_TRIES = 10
# Two numbers per try for the shape, then two for the place.
DRAWS_PER_BOX = 2 * _TRIES + 2


def random_resized_boxes(draws, height, width, scale, ratio=RATIO):
    """Boxes as torchvision's `RandomResizedCrop` draws them.

    The area is uniform in `scale`, as a share of the image, and the aspect ratio log-uniform in
    `ratio`. The first of ten tries that fits into the image is taken, at a uniform place; if
    none fits, the largest centered box with an aspect ratio within `ratio`.

    Args:
        draws: (n, 22) float tensor, uniform in [0, 1).
        height: Height of the images in pixels, an integer or an int32 scalar tensor.
        width: Width of the images in pixels, likewise.
        scale: Pair of floats, the range of the area as a share of the image's.
        ratio: Pair of floats, the range of width / height.

    Returns:
        (n, 4) int32 tensor of (top, left, height, width) in pixels.
    """
    shape_draws = tf.reshape(draws[:, : 2 * _TRIES], (-1, _TRIES, 2))
    heights, widths = _shapes_tried(shape_draws, height, width, scale, ratio)
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = tf.argmax(tf.cast(fits, tf.int32), axis=1, output_type=tf.int32)
    found = tf.reduce_any(fits, axis=1)
    whole_height, whole_width = _largest_box(height, width, ratio)
    box_height = tf.where(found, _pick(heights, first), whole_height)
    box_width = tf.where(found, _pick(widths, first), whole_width)
    top = _place(draws[:, -2], height - box_height, found)
    left = _place(draws[:, -1], width - box_width, found)
    return tf.stack([top, left, box_height, box_width], axis=1)


def _shapes_tried(draws, height, width, scale, ratio):
    area = tf.cast(height * width, tf.float32)
    target = area * (scale[0] + draws[..., 0] * (scale[1] - scale[0]))
    low, high = math.log(ratio[0]), math.log(ratio[1])
    aspect = tf.exp(low + draws[..., 1] * (high - low))
    heights = tf.cast(tf.round(tf.sqrt(target / aspect)), tf.int32)
    widths = tf.cast(tf.round(tf.sqrt(target * aspect)), tf.int32)
    return heights, widths


def _largest_box(height, width, ratio):
    size = tf.cast(tf.stack([height, width]), tf.float32)
    tallest = tf.cast(tf.round(size[1] / ratio[0]), tf.int32)
    widest = tf.cast(tf.round(size[0] * ratio[1]), tf.int32)
    # Of an image that is narrower than a pixel's share of the ratio, one pixel is left.
    tallest, widest = tf.maximum(tallest, 1), tf.maximum(widest, 1)
    return tf.minimum(tallest, height), tf.minimum(widest, width)


def _pick(values, index):
    return tf.gather(values, index, axis=1, batch_dims=1)


def _place(draw, room, found):
    anywhere = tf.cast(draw * tf.cast(room + 1, tf.float32), tf.int32)
    # The product can round up to room + 1.
    return tf.where(found, tf.minimum(anywhere, room), room // 2)
