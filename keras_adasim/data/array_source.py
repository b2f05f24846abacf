"""Images in memory as one array."""

import functools

import numpy as np
import tensorflow as tf

from keras_adasim.data.keys import content_keys
from keras_adasim.data.source import Source
from keras_adasim.validation import check_strings


class ArraySource(Source):
    """Images of one size, held in memory.

    Args:
        images: (N, H, W, C) or (N, H, W) uint8 array with values from 0 to 255, any number of
            channels.
        labels: (N,) or (N, 1) integers, an array or a list, or None.
        class_names: List of strings, the names of labels 0, 1, ..., or None.

    Attributes:
        images: (N, H, W, C) uint8 array.

    Raises:
        ValueError: If the images are not one uint8 array, the labels do not fit them, or the names
            do not fit the labels.

    Example:
        ```python
        images = np.zeros((4, 8, 8, 3), "uint8")
        source = ka.data.ArraySource(images, labels=[0, 1, 1, 0], class_names=["cat", "dog"])
        source[3].shape  # (8, 8, 3)
        ```
    """

    encoded = False

    def __init__(self, images, labels=None, class_names=None):
        self.images = _checked_images(images)
        self._labels = None if labels is None else _checked_labels(labels, len(self.images))
        self.class_names = _checked_names(class_names, self._labels)
        self.image_size = self.images.shape[1:3]
        self.channels = self.images.shape[3]
        self._tensor = None

    def __len__(self):
        """Number of images."""
        return len(self.images)

    @property
    def labels(self):
        """(N,) int64 array, or None."""
        return self._labels

    def read(self, index):
        """Gathers (H, W, C) pixels, or (B, H, W, C) for (B,) indices."""
        return tf.gather(self._constant(), index)

    def describe(self, index):
        """Names an image by its place in the array."""
        return f"image {index} of the array"

    @functools.cached_property
    def keys(self):
        """`Keys`: digests of the pixels, those of equal images numbered."""
        return content_keys(np.ascontiguousarray(image) for image in self.images)

    def _constant(self):
        if self._tensor is None:
            # Not a constant in every graph that reads it, and not on the accelerator.
            with tf.init_scope(), tf.device("CPU:0"):
                self._tensor = tf.constant(self.images)
        return self._tensor


def _checked_images(images):
    if not isinstance(images, np.ndarray) or images.dtype == object:
        raise ValueError(
            "Expected `images` to be one uint8 array of shape (N, H, W, C): images of different "
            "sizes have to be resized to one size first, or saved to files for `ImageFolder`. "
            f"Received: images of type {type(images).__name__}"
        )
    if images.dtype != np.uint8:
        raise ValueError(
            "Expected `images` to be uint8 with values from 0 to 255: values from 0 to v, 1 for "
            "floats or 10000 for Sentinel-2's reflectances, become that by "
            "`np.clip(images / v * 255, 0, 255).round().astype('uint8')`. "
            f"Received: images of dtype {images.dtype}"
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            "Expected `images` to have shape (N, H, W, C) or (N, H, W) without an empty axis. "
            f"Received: images of shape {images.shape}"
        )
    return images


def _checked_labels(labels, num_images):
    try:
        array = np.asarray(labels)
    except ValueError:  # Rows of different lengths.
        array = np.asarray(labels, object)
    is_integer = np.issubdtype(array.dtype, np.integer)
    if array.shape not in ((num_images,), (num_images, 1)) or not is_integer:
        raise ValueError(
            f"Expected `labels` to be {num_images} integers, one per image. "
            f"Received: labels of shape {array.shape} and dtype {array.dtype}"
        )
    if array.min(initial=0) < 0:
        raise ValueError(
            "Expected `labels` from 0 on. Negative ones often mean that there is no label: leave "
            "those images out, or pass `labels=None` to train on all of them. Received: "
            f"labels down to {array.min()}"
        )
    return array.reshape(num_images).astype(np.int64)


def _checked_names(names, labels):
    if names is None:
        return None
    names = list(check_strings("class_names", names))
    fits = labels is not None and labels.min() >= 0 and labels.max() < len(names)
    if not fits:
        received = "labels=None" if labels is None else f"labels up to {labels.max()}"
        raise ValueError(
            "Expected `class_names` to be one string for each of the labels 0, 1, ... in `labels`. "
            f"Received: class_names={names}, {received}"
        )
    return names
