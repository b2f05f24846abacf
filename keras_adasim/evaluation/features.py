"""Features of all images of a source."""

import numpy as np
import tensorflow as tf

from keras_adasim.layers.preprocessing import resize_bytes
from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_has, check_integer, check_switch

# DINO evaluates on the central 224 pixels of images whose shorter side has 256.
CROP_SHARE = 224 / 256


def embed(source, embed_fn, batch_size=256, image_size=None, center_crop=False, indices=None):
    """Computes the features of every image of a source, in order.

    Images are read and resized by parallel workers while the features of earlier ones are
    computed. An image that is a square of `image_size` pixels already passes as it is, so that
    small images of one size are never enlarged and cropped.

    Args:
        source: N images, len(source), each source[i] uint8 (H, W, C).
        embed_fn: Function from uint8 images (B, S, S, C) to features (B, D).
        batch_size: Number of images B of a batch; the last may be smaller.
        image_size: Side S in pixels; None leaves the images as they are, all of one size.
        center_crop: Whether to follow DINO's protocol: the shorter side is resized to
            S * 256 / 224 (bicubic, antialiased) and the central square cut out. Otherwise the
            whole image is resized to the square (bilinear, antialiased).
        indices: Integers, the images to embed; None for all.

    Returns:
        float32 array (N, D).

    Raises:
        ValueError: If there is no image, or a size isn't a positive integer.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((6, 8, 8, 3), np.uint8))
        features = ka.evaluation.embed(source, lambda images: tf.reshape(images, (len(images), -1)))
        ```
    """
    check_source(source)
    check_has("embed_fn", embed_fn, "a function of images", "__call__")
    check_switch("center_crop", center_crop)
    check_integer("batch_size", batch_size)
    if image_size is not None:
        check_integer("image_size", image_size)
    indices = np.arange(len(source)) if indices is None else indices
    indices = check_integers("indices", indices, (None,), len(source)).astype(np.int64)
    if not len(indices):
        raise ValueError("Expected `indices` of at least one image. Received: indices=[]")
    images = _images(source, indices, image_size, center_crop).batch(batch_size)
    features = [np.asarray(embed_fn(batch), np.float32) for batch in images.prefetch(2)]
    return np.concatenate(features)


def check_source(source):
    """Raises ValueError unless there are images to look at."""
    check_has("source", source, "images, with a length", "__len__", "__getitem__")
    if not len(source):
        raise ValueError("Expected `source` with at least one image. Received: len(source)=0")
    if not hasattr(source, "decode") and not hasattr(source[0], "shape"):
        raise ValueError(
            "Expected `source` to give images (H, W, C). Received: source[0] of type "
            f"{type(source[0]).__name__}"
        )


def _images(source, indices, image_size, center_crop):
    """Data set of uint8 images, read in parallel and in order."""
    decode = decoder(source)

    def read(index):
        image = decode(index)
        return image if image_size is None else _fit(image, image_size, center_crop)

    dataset = tf.data.Dataset.from_tensor_slices(indices)
    return dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE)


def decoder(source):
    """Function of an index in a graph that gives a source's image; `source[i]` if it has none."""
    if hasattr(source, "decode"):
        return source.decode
    channels = source[0].shape[-1]

    def decode(index):
        image = tf.numpy_function(lambda i: source[int(i)], [index], tf.uint8, stateful=False)
        return tf.ensure_shape(image, (None, None, channels))

    return decode


def _fit(image, size, center_crop):
    """Resizes one uint8 image (H, W, C) to (size, size, C), unless it has that size."""
    shape = tf.shape(image)[:2]
    resized = tf.cond(
        tf.reduce_all(shape == size),
        lambda: image,
        lambda: (
            _center_crop(image, shape, size) if center_crop else resize_bytes(image, (size, size))
        ),
    )
    return tf.ensure_shape(resized, (size, size, image.shape[-1]))


def _center_crop(image, shape, size):
    """Resize(size * 256 / 224) and CenterCrop(size) of torchvision, with its roundings."""
    shorter = round(size / CROP_SHARE)
    sides = tf.cast(shape * shorter / tf.reduce_min(shape), tf.int32)
    resized = resize_bytes(image, sides, "bicubic")
    top, left = tf.unstack(tf.cast(tf.round((sides - size) / 2), tf.int32))
    return resized[top : top + size, left : left + size]
