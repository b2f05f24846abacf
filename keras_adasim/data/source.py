"""What a source of images is: random access by index, in Python and in a tf.data graph."""

import functools
import operator

import numpy as np
import tensorflow as tf

from keras_adasim.data.careful_decode import decode_carefully, is_upright_jpeg
from keras_adasim.data.decode import decode_image, is_plain
from keras_adasim.data.depth import to_bytes
from keras_adasim.data.keys import place_keys


class Source:
    """Base of all sources of images.

    A subclass sets the attributes in its `__init__` and implements `__len__`, `read` and
    `describe`, and `keys` where its images have names.

    Attributes:
        labels: (N,) int64 array, or None for images without labels.
        class_names: List of strings, the names of labels 0, 1, ..., or None where they have none.
        why_unlabeled: String. Why there are no labels, where the source knows, else None.
        channels: Integer. Channels of every image.
        encoded: Whether `read` gives the bytes of image files, else (H, W, C) pixels.
        value_range: Tuple `(low, high)`, the values of images with more than 8 bits per channel
            that become 0 and 255, or C low ones and C high ones; None without such images.
        image_size: (height, width) in pixels if all images are known to share it, else None.

    Example:
        ```python
        class Ramps(ka.data.Source):
            encoded, image_size = False, (8, 8)

            def __len__(self):
                return 5

            def read(self, index):
                return tf.cast(tf.fill((8, 8, 3), index), tf.uint8)

            def describe(self, index):
                return f"ramp {index}"

        Ramps()[4].max()  # 4
        ```
    """

    labels = None
    class_names = None
    why_unlabeled = None
    channels = 3
    encoded = True
    image_size = None
    value_range = None

    def __len__(self):
        """Number of images."""
        raise NotImplementedError(f"`{type(self).__name__}` does not implement `__len__`.")

    def read(self, index):
        """Reads an image in a graph.

        Args:
            index: Scalar int64 tensor.

        Returns:
            A string scalar tensor of the file's bytes if `encoded`, else an (H, W, C) uint8 tensor.
        """
        raise NotImplementedError(f"`{type(self).__name__}` does not implement `read`.")

    def describe(self, index):
        """Names an image for an error message, for instance by its path."""
        raise NotImplementedError(f"`{type(self).__name__}` does not implement `describe`.")

    @functools.cached_property
    def keys(self):
        """`Keys`, one name per image that stays its own when others come, go or move.

        What is kept of an image, such as its row of the bank, follows its key. By default the key
        is the image's place, which is true only while the images keep their order: override it, or
        set it to `Keys` of names, where a list of images may change.
        """
        return place_keys(len(self))

    def fingerprints(self, indices=None):
        """Tells cheaply which images have changed under their keys.

        Args:
            indices: (n,) integers, the images; None for all.

        Returns:
            (n,) uint64 array, whose entry is another one if the image is another; of files
            `file_fingerprints`. By default 0: an image with the same key is the same.
        """
        return np.zeros(len(self) if indices is None else len(indices), np.uint64)

    def unreadable(self, indices):
        """Which images can't be read any more: (n,) integers -> (n,) bool; none by default."""
        return np.zeros(len(indices), bool)

    def look(self, index, full):
        """Looks at the file of an image without training on it.

        Args:
            index: Integer.
            full: Whether to decode it, else its header and end are looked at.

        Returns:
            `Seen`, or None where images are no files that can be looked at, as by default.
        """
        return None

    def checked_labels(self):
        """Returns the labels.

        Raises:
            ValueError: If there are none; says why, where the source knows.
        """
        labels = self.labels
        if labels is None:
            reason = self.why_unlabeled or f"labels=None of a {type(self).__name__}"
            raise ValueError(
                "Expected images with labels, such as a folder with one sub-folder per class and "
                f"no images beside them. Received: {reason}"
            )
        return labels

    def read_as(self, index, plain, pixels):
        """Reads an image in a graph, and goes on by what it is.

        Files that are not quite ordinary, among them damaged ones, are decoded in Python, where
        all formats are known, and where an error can name the image.

        Args:
            index: Scalar int64 tensor.
            plain: Function of the bytes of an ordinary JPEG or PNG file, a string scalar tensor.
            pixels: Function of an (H, W, C) uint8 tensor, which returns the same structure.
        """
        contents = self.read(index)
        if not self.encoded:
            return pixels(contents)

        def decode_in_python():
            image = tf.numpy_function(self._decode_named, [contents, index], tf.uint8)
            return pixels(tf.ensure_shape(image, (None, None, self.channels)))

        ordinary = tf.cond(
            is_plain(contents),
            lambda: True,
            lambda: tf.ensure_shape(
                tf.numpy_function(is_upright_jpeg, [contents], tf.bool, stateful=False), ()
            ),
        )
        return tf.cond(ordinary, lambda: plain(contents), decode_in_python)

    def decode(self, index):
        """Reads and decodes an image in a graph: int64 scalar tensor -> (H, W, C) uint8."""
        image = self.read_as(index, lambda c: decode_image(c, self.channels), lambda p: p)
        height, width = self.image_size or (None, None)
        return tf.ensure_shape(image, (height, width, self.channels))

    def __getitem__(self, index):
        """Returns one image as a (H, W, C) uint8 array.

        Raises:
            IndexError: If there is no image of this index.
            TypeError: If the index is no integer.
            ValueError: If the image cannot be read or decoded; names it.
        """
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"Expected an index below {len(self)}. Received: index={index}")
        index %= len(self)
        try:
            with tf.device("CPU:0"):
                contents = self.read(tf.constant(index, tf.int64)).numpy()
        except tf.errors.OpError as error:
            raise self._unsound(index, error) from error
        return self._decode_named(contents, index) if self.encoded else contents

    def _decode_named(self, contents, index):
        try:
            if is_plain(contents) or is_upright_jpeg(contents):
                return decode_image(contents, self.channels).numpy()
            return decode_carefully(contents, self.channels, self._from_depth)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise self._unsound(index, error) from error

    def _unsound(self, index, error):
        return ValueError(
            f"Expected {self.describe(int(index))} to be a sound image: replace or remove it. "
            f"Received: {getattr(error, 'message', error)}"
        )

    def _from_depth(self, pixels):
        if self.value_range is None:
            raise ValueError("more than 8 bits per channel, of an unknown range")
        return to_bytes(pixels, self.value_range)
