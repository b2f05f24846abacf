"""Decodes a source once, for sets that fit into memory."""

import numpy as np
import tensorflow as tf

from keras_adasim.data.array_source import ArraySource
from keras_adasim.validation import check_has, check_integer


class DifferentSizesError(ValueError):
    """Images that were expected to share a size don't.

    Example:
        ```python
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            for side in (8, 9):
                keras.utils.save_img(f"{folder}/{side}.png", np.zeros((side, side, 3)))
            source = ka.data.ImageFolder(folder)
            try:
                source = ka.data.load_in_memory(source)
            except ka.data.DifferentSizesError:
                pass  # Left on disk: `PairDataset` cuts crops while decoding.
        ```
    """


class _Decoded(ArraySource):
    """Decoded images of a source, which still knows their labels and names.

    Labels are asked for when needed: some sources take as long for them as for the images.
    """

    def __init__(self, images, source):
        super().__init__(images)
        self._source = source
        self.class_names = source.class_names

    @property
    def labels(self):
        return self._source.labels

    @property
    def why_unlabeled(self):
        return self._source.why_unlabeled

    @property
    def keys(self):
        return self._source.keys

    def fingerprints(self, indices=None):
        return self._source.fingerprints(indices)

    @property
    def value_range(self):
        return self._source.value_range

    def describe(self, index):
        return self._source.describe(index)


def load_in_memory(source, workers=tf.data.AUTOTUNE):
    """Decodes all images of a source, in parallel, into one array.

    For sets of small images of one size: an epoch then gathers instead of reading files, which is
    some fifty times as fast.

    Args:
        source: `Source` whose images all have the same size.
        workers: Integer. Images to decode at once; as many as TensorFlow finds best by default.

    Returns:
        An `ArraySource` with the same order, labels and names.

    Raises:
        DifferentSizesError: If sizes differ; names two images.
        ValueError: If an image is damaged; names it.

    Example:
        ```python
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            keras.utils.save_img(f"{folder}/black.png", np.zeros((8, 8, 3)))
            source = ka.data.load_in_memory(ka.data.ImageFolder(folder))
        source.images.shape  # (1, 8, 8, 3)
        ```
    """
    if workers != tf.data.AUTOTUNE:
        workers = check_integer("workers", workers)
    check_has("source", source, "a `data.Source`", "__len__", "decode")
    if isinstance(source, ArraySource):
        return source
    dataset = tf.data.Dataset.range(len(source)).map(source.decode, workers, deterministic=True)
    images = None
    for index, image in enumerate(_named_errors(dataset, source)):
        if images is None:
            images = np.empty((len(source), *image.shape), np.uint8)
        if image.shape != images.shape[1:]:
            raise DifferentSizesError(
                "Expected all images of `source` to have the same size: resize them, or pass "
                f"`crops` to `PairDataset` and leave them on disk. Received: {source.describe(0)} "
                f"of shape {images.shape[1:]} and {source.describe(index)} of shape {image.shape}"
            )
        images[index] = image
    return _Decoded(images, source)


def _named_errors(dataset, source):
    """Yields decoded images; a damaged one raises an error that names it."""
    iterator = dataset.as_numpy_iterator()
    for index in range(len(source)):
        try:
            yield next(iterator)
        except tf.errors.InvalidArgumentError:
            # The order is fixed, so it is this image, and decoding it alone names it.
            yield source[index]
