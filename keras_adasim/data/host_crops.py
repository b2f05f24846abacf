"""Crops of a pair of images, cut while decoding."""

import functools

import tensorflow as tf

from keras_adasim.augment.crop_boxes import DRAWS_PER_BOX, random_resized_boxes
from keras_adasim.data.decode import decode_fast, decode_jpeg_box, is_jpeg
from keras_adasim.layers.preprocessing import resize_bytes


class HostCrops:
    """Cuts the views of a pair on the host, for images of different or large sizes.

    Of a JPEG file that a single crop is cut from, only the crop is decoded, and at a half, a
    quarter or an eighth of its sides where at least twice the pixels that are wanted remain. A file
    that several crops are cut from is decoded once in full.

    Args:
        source: `Source` of the images.
        crops: `MultiCrop`.
        interpolation: `"bilinear"` or `"bicubic"`, either antialiased.

    Bilinear crops are made by `resize_quickly`.
    """

    def __init__(self, source, crops, interpolation):
        self._source = source
        self._crops = crops
        self._interpolation = interpolation

    def __call__(self, index, partner, key):
        """Cuts the views of one pair.

        Args:
            index: Scalar int64 tensor, the image.
            partner: Scalar int64 tensor, its partner.
            key: Scalar int64 tensor. The boxes are a pure function of `key` and `index`.

        Returns:
            Tuple of (size, size, C) uint8 tensors: the image's global crop, the partner's, and
            the image's local ones.
        """
        shape = (self._crops.num_views, DRAWS_PER_BOX)
        draws = tf.random.stateless_uniform(shape, tf.stack([key, index]), alg="philox")
        own_views = [0, *range(2, self._crops.num_views)]
        first, *local = self._cut(index, draws, own_views)
        (second,) = self._cut(partner, draws, [1])
        return (first, second, *local)

    def alone(self, index, key):
        """Cuts the first view of an image without a partner.

        Args:
            index: Scalar int64 tensor, the image.
            key: Scalar int64 tensor. The box is a pure function of `key` and `index`.

        Returns:
            (size, size, C) uint8 tensor.
        """
        shape = (1, DRAWS_PER_BOX)
        draws = tf.random.stateless_uniform(shape, tf.stack([key, index]), alg="philox")
        (crop,) = self._cut(index, draws, [0])
        return crop

    def _cut(self, index, draws, views):
        crops = self._source.read_as(
            index,
            lambda contents: self._crops_of_file(contents, draws, views),
            lambda pixels: self._crops_of_pixels(pixels, draws, views),
        )
        return [self._resize(crop, view) for crop, view in zip(crops, views, strict=True)]

    def _crops_of_file(self, contents, draws, views):
        def whole():
            pixels = decode_fast(contents, self._source.channels)
            return self._crops_of_pixels(pixels, draws, views)

        if len(views) > 1:
            return whole()
        part = functools.partial(self._decode_box, contents, draws, views[0])
        return tf.cond(is_jpeg(contents), lambda: [part()], whole)

    def _crops_of_pixels(self, pixels, draws, views):
        return [self._slice(pixels, draws, view) for view in views]

    def _decode_box(self, contents, draws, view):
        shape = tf.image.extract_jpeg_shape(contents)
        box = self._box(shape[0], shape[1], draws, view)
        return decode_jpeg_box(contents, box, self._source.channels, self._crops.sizes[view])

    def _slice(self, pixels, draws, view):
        shape = tf.shape(pixels)
        top, left, height, width = tf.unstack(self._box(shape[0], shape[1], draws, view))
        return pixels[top : top + height, left : left + width]

    def _box(self, height, width, draws, view):
        scale, ratio = self._crops.scales[view], self._crops.ratio
        return random_resized_boxes(draws[view : view + 1], height, width, scale, ratio)[0]

    def _resize(self, crop, view):
        size = self._crops.sizes[view]
        if self._interpolation == "bilinear":
            resized = resize_quickly(crop, size)
        else:
            resized = resize_bytes(crop, (size, size), self._interpolation)
        return tf.ensure_shape(resized, (size, size, self._source.channels))


def resize_quickly(image, size):
    """Resizes one image to a square by whichever kernel is quickest and makes the same picture.

    From what `resize_bytes` makes photographs differ by at most 2.6 levels of 255, root mean
    square: what doesn't shrink is plain bilinear, and what shrinks on both sides the mean of areas,
    but for an exact half, where the two differ most. Either takes half the time.

    Args:
        image: (H, W, C) uint8 tensor.
        size: Side of the result in pixels.

    Returns:
        (size, size, C) uint8 tensor.
    """

    def plain():
        return tf.image.resize(image, (size, size))

    def means_of_areas():
        return tf.raw_ops.ResizeArea(images=image[None], size=(size, size))[0]

    def antialiased():
        return tf.image.resize(image, (size, size), antialias=True)

    shrinkage = tf.cast(tf.shape(image)[:2], tf.float32) / size
    most, least = tf.reduce_max(shrinkage), tf.reduce_min(shrinkage)
    is_half = tf.reduce_any(tf.abs(shrinkage - 2) < 0.1)
    has_areas = (least >= 1) & (most < 2.85) & ~is_half
    place = tf.where(most <= 1, 0, tf.where(has_areas, 1, 2))
    pixels = tf.switch_case(place, [plain, means_of_areas, antialiased])
    return tf.saturate_cast(tf.round(pixels), tf.uint8)
