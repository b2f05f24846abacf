import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from keras_adasim.augment import MultiCrop
from keras_adasim.augment.crop_boxes import DRAWS_PER_BOX, random_resized_boxes
from keras_adasim.data import ArraySource, ImageFolder
from keras_adasim.data.decode import decode_jpeg_box
from keras_adasim.data.host_crops import HostCrops, resize_quickly
from keras_adasim.layers.preprocessing import resize_bytes
from tests.data.image_files import fill_folder, smooth_image, write

KEY = 5


def expected_crop(image, draws, scale, size, interpolation):
    """The crop by way of decoding in full, cutting and resizing."""
    (box,) = random_resized_boxes(draws[None], *image.shape[:2], scale).numpy()
    top, left, height, width = box
    crop = image[top : top + height, left : left + width]
    down = np.array([height, width]) / size
    is_half = np.any(np.abs(down - 2) < 0.1)
    if interpolation == "bilinear" and 1 < down.max() < 2.85 and down.min() >= 1 and not is_half:
        rows, columns = (overlaps(side, size) for side in (height, width))
        resized = np.einsum("oh,hwc,pw->opc", rows, crop, columns)
    else:
        antialias = interpolation == "bicubic" or bool(down.max() > 1)
        resized = tf.image.resize(crop, (size, size), interpolation, antialias=antialias)
    return np.clip(np.round(resized), 0, 255)


def overlaps(side, size):
    """(size, side) shares that the pixels of a line have in each of `size` equal parts of it."""
    ends, pixels = np.linspace(0, side, size + 1), np.arange(side)
    last = np.minimum(ends[1:, None], pixels + 1)
    return np.maximum(last - np.maximum(ends[:-1, None], pixels), 0) * size / side


@pytest.mark.parametrize(
    ("suffix", "num_local", "interpolation"),
    [
        (".jpg", 2, "bilinear"),
        (".jpg", 2, "bicubic"),
        (".png", 2, "bilinear"),
        (".png", 2, "bicubic"),
        (".jpg", 0, "bilinear"),
    ],
)
def test_crops_equal_those_of_decoded_images(tmp_path, suffix, num_local, interpolation):
    images = fill_folder(tmp_path, suffix=suffix)
    crops = MultiCrop(12, (0.3, 1.0), 6, (0.1, 0.3), num_local)
    cut = tf.function(HostCrops(ImageFolder(tmp_path), crops, interpolation).__call__)
    for index, partner in ((0, 1), (3, 2)):
        views = cut(*(tf.constant(i, tf.int64) for i in (index, partner, KEY)))
        draws = tf.random.stateless_uniform(
            (2 + num_local, DRAWS_PER_BOX), (KEY, index), alg="philox"
        )
        for i, (view, size, scale) in enumerate(zip(views, crops.sizes, crops.scales, strict=True)):
            assert view.dtype == tf.uint8
            image = images[partner if i == 1 else index]
            expected = expected_crop(image, draws[i], scale, size, interpolation)
            tolerance = 1 if suffix == ".png" else 12
            np.testing.assert_allclose(view.numpy().astype(int), expected, atol=tolerance)


def test_images_in_memory_are_cut_too():
    images = np.random.default_rng(0).integers(0, 256, (3, 20, 24, 5), dtype=np.uint8)
    cut = HostCrops(ArraySource(images), MultiCrop(8, num_local=1, local_size=4), "bilinear")
    views = cut(*(tf.constant(i, tf.int64) for i in (0, 1, KEY)))
    assert [tuple(view.shape) for view in views] == [(8, 8, 5), (8, 8, 5), (4, 4, 5)]


def test_boxes_are_a_pure_function_of_key_and_index(tmp_path):
    fill_folder(tmp_path, [(30, 30)] * 2)
    cut = HostCrops(ImageFolder(tmp_path), MultiCrop(8, (0.1, 0.5)), "bilinear")

    def first_view(index, key):
        return cut(
            tf.constant(index, tf.int64), tf.constant(0, tf.int64), tf.constant(key, tf.int64)
        )[0]

    np.testing.assert_array_equal(first_view(0, 1), first_view(0, 1))
    assert np.any(first_view(0, 1) != first_view(0, 2))
    first, second = cut(*(tf.constant(i, tf.int64) for i in (0, 0, KEY)))
    assert np.any(first != second)


CHECKERBOARD = (np.indices((512, 512)).sum(0) % 2 * 255).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("num_local", [0, 2])
def test_crops_that_shrink_are_averages(tmp_path, interpolation, num_local):
    """They were single pixels: the board's had a standard deviation of 42 levels, not of 0.

    The noise has 74 levels, and the mean of 8 x 8 of its pixels 74 / 8.
    """
    for name, pixels in (("board", CHECKERBOARD), ("noise", NOISE)):
        for suffix in (".png", ".jpg"):
            write(tmp_path / f"{name}{suffix}", np.repeat(pixels[..., None], 3, axis=2))
    source = ImageFolder(tmp_path)
    crops = MultiCrop(64, (0.9, 1.0), 32, (0.9, 1.0), num_local)
    cut = tf.function(HostCrops(source, crops, interpolation).__call__)
    for index in tf.range(4, dtype=tf.int64):
        for view in cut(index, index, tf.constant(0, tf.int64)):
            assert view.numpy().std() < 14, source.paths[int(index)]


@pytest.mark.parametrize("shrinkage", [1, 2, 3, 4, 5, 6, 8, 16, 40])
def test_a_part_is_decoded_with_no_less_than_twice_the_pixels_that_are_wanted(shrinkage):
    sides = np.array([20 * shrinkage, 24 * shrinkage])
    contents = tf.io.encode_jpeg(smooth_image(*sides), quality=95, chroma_downsampling=False)
    box = tf.constant([0, 0, 20 * shrinkage, 20 * shrinkage])
    part = decode_jpeg_box(contents, box, 3, size=20).numpy()
    (ratio,) = {20 * shrinkage // side for side in part.shape[:2]}
    assert ratio == max(r for r in (1, 2, 4, 8) if r == 1 or shrinkage**2 >= 2 * r**2)
    whole = decode_jpeg_box(contents, box, 3)
    small = [tf.image.resize(each, (20, 20), antialias=True) for each in (part, whole)]
    assert np.sqrt(np.mean(np.square(small[0] - small[1]))) < 3


def levels_apart(image, size):
    quick, exact = resize_quickly(image, size), resize_bytes(image, (size, size))
    assert quick.dtype == exact.dtype == tf.uint8
    return np.sqrt(np.mean(np.square(np.subtract(quick, exact, dtype=np.float32))))


@pytest.mark.parametrize("photograph", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_are_resized_as_everywhere(photograph):
    pixels = getattr(skimage.data, photograph)()
    shrinkages = [(s, s) for s in (1.1, 4 / 3, 1.5, 1.75, 1.9, 2, 2.11, 2.5, 2.8, 3, 4)]
    for down, across in [*shrinkages, (1.2, 1.6), (0.8, 1.3), (0.6, 1.9), (2, 1.4), (2.8, 1.1)]:
        crop = pixels[50 : 50 + round(64 * down), 20 : 20 + round(64 * across)]
        assert levels_apart(tf.constant(crop), 64) < 3, (down, across)


def test_what_grows_is_resized_as_everywhere():
    for shape in ((40, 50, 3), (64, 64, 1), (1, 1, 3), (33, 64, 5)):
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        assert levels_apart(tf.constant(pixels), 64) < 0.1
