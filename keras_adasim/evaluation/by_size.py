"""Features of images that keep the ratio of their sides."""

import collections

import numpy as np
import tensorflow as tf

from keras_adasim.evaluation.features import check_source, decoder
from keras_adasim.layers.preprocessing import resize_bytes
from keras_adasim.validation import check_has, check_integer, check_numbers


def embed_by_size(source, sides_of, look, batch_size=16, boxes=None):
    """Computes an array for every image of a source, each image at a size of its own.

    Images are read and resized (bilinear, antialiased) by parallel workers; those of one size are
    looked at together.

    Args:
        source: N images, len(source), each source[i] uint8 (H, W, C).
        sides_of: Function from the (height, width) of an image, integers, to those that it is
            resized to.
        look: Function from uint8 images (B, h, w, C) of one size to an array of B rows, whose
            further axes are those of every image's.
        batch_size: Number of images B of a batch, at most.
        boxes: Numbers (N, 4), in pixels the left, top, right and bottom edge of the part that is
            looked at; None for whole images. What lies outside of an image is left out.

    Returns:
        float32 array of N rows.

    Raises:
        ValueError: If there is no image, one can't be read, a box doesn't end behind its start, or
            a function is none.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((6, 8, 12, 3), np.uint8))
        def halved(height, width):
            return height // 2, width // 2
        def look(images):
            return tf.reduce_mean(tf.cast(images, tf.float32), axis=(1, 2))
        ka.evaluation.embed_by_size(source, halved, look).shape  # (6, 3)
        ```
    """
    check_source(source)
    check_has("sides_of", sides_of, "a function of height and width", "__call__")
    check_has("look", look, "a function of images", "__call__")
    check_integer("batch_size", batch_size)
    waiting, rows = collections.defaultdict(list), [None] * len(source)

    def look_at(group):
        array = np.asarray(look(tf.stack([image for _, image in group])), np.float32)
        for (index, _), row in zip(group, array, strict=True):
            rows[index] = row
        group.clear()

    images = _images(source, sides_of, _checked_boxes(boxes, len(source)))
    for index, image in enumerate(_told(images)):
        group = waiting[tuple(image.shape)]
        group.append((index, image))
        if len(group) == batch_size:
            look_at(group)
    for group in filter(None, waiting.values()):
        look_at(group)
    return np.stack(rows)


def _checked_boxes(boxes, number):
    if boxes is None:
        return np.tile(np.float32([-np.inf, -np.inf, np.inf, np.inf]), (number, 1))
    boxes = check_numbers("boxes", boxes).astype(np.float32)
    is_box = boxes.shape == (number, 4) and (boxes[:, :2] < boxes[:, 2:]).all()
    if not (is_box and np.isfinite(boxes).all()):
        raise ValueError(
            f"Expected `boxes` of shape ({number}, 4), left, top, right and bottom edges, each "
            f"before the opposite one. Received: boxes of shape {boxes.shape}"
        )
    return boxes


def _images(source, sides_of, boxes):
    """Data set of uint8 images, each of its size, read in parallel and in order."""
    decode = decoder(source)

    def read(index, box):
        image = _cut(decode(index), box)
        sides = tf.numpy_function(_integers(sides_of), tf.unstack(tf.shape(image)[:2]), tf.int32)
        return resize_bytes(image, tf.ensure_shape(sides, (2,)))

    dataset = tf.data.Dataset.from_tensor_slices((np.arange(len(source)), boxes))
    return dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE).prefetch(16)


def _told(images):
    """The same images; an error of one that can't be read is that of its source, which names it."""
    try:
        yield from images
    except tf.errors.InvalidArgumentError as error:
        _, found, message = str(error).partition("ValueError: ")
        if not found:
            raise
        raise ValueError(message.splitlines()[0]) from error


def _integers(sides_of):
    return lambda height, width: np.int32(sides_of(int(height), int(width)))


def _cut(image, box):
    """The part of an image within a box, at least one pixel of it."""
    edges = tf.cast(tf.shape(image)[:2][::-1], tf.float32)
    first = tf.cast(tf.round(tf.clip_by_value(box[:2], 0.0, edges - 1.0)), tf.int32)
    last = tf.cast(tf.round(tf.minimum(box[2:], edges)), tf.int32)
    left, top = tf.unstack(first)
    right, bottom = tf.unstack(tf.maximum(last, first + 1))
    return image[top:bottom, left:right]
