import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import data
from keras_adasim.evaluation import embed_by_size
from keras_adasim.layers.preprocessing import resize_bytes

RNG = np.random.default_rng(0)
SIZES = ((8, 12), (12, 8), (8, 12), (10, 10), (9, 12))


class Ragged:
    """Images of different sizes."""

    images = [RNG.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


def halves(height, width):
    return height // 2, max(1, width // 2)


def row_means(images):
    pixels = tf.cast(images, tf.float32)
    return tf.stack([tf.reduce_mean(pixels, (1, 2, 3)), tf.reduce_max(pixels, (1, 2, 3))], axis=1)


def test_equals_one_after_the_other():
    seen = []

    def look(images):
        seen.append(images.shape)
        return row_means(images)

    found = embed_by_size(Ragged(), halves, look, batch_size=2)
    for image, row in zip(Ragged.images, found, strict=True):
        small = resize_bytes(tf.constant(image), halves(*image.shape[:2]))
        np.testing.assert_allclose(row, row_means(small[None])[0], rtol=1e-6)
    # (9, 12) becomes (4, 6) as (8, 12) does.
    assert sorted(shape[0] for shape in seen) == [1, 1, 1, 2]


def test_boxes_are_cut_out_before_the_resize():
    boxes = [(2, 1, 6, 7), (-3, -3, 99, 99), (0.4, 0.4, 3.6, 3.6), (9, 9, 30, 30), (5, 5, 6, 6)]
    found = embed_by_size(Ragged(), lambda h, w: (h, w), row_means, boxes=boxes)
    cuts = [(slice(1, 7), slice(2, 6)), (slice(None),) * 2, (slice(0, 4),) * 2]
    cuts += [(slice(9, 10),) * 2, (slice(5, 6),) * 2]
    for image, cut, row in zip(Ragged.images, cuts, found, strict=True):
        np.testing.assert_allclose(row, row_means(image[cut][None])[0], rtol=1e-6)


def test_arrays_of_any_rank():
    source = data.ArraySource(np.zeros((3, 8, 8, 3), np.uint8))
    found = embed_by_size(source, lambda h, w: (4, 6), lambda images: images)
    assert (found.shape, found.dtype) == ((3, 4, 6, 3), np.float32)


@pytest.mark.parametrize("boxes", [[(0, 0, 1, 1)], [(1, 0, 1, 5)] * 5, [(0, 0, np.nan, 1)] * 5])
def test_wrong_boxes_are_refused(boxes):
    with pytest.raises(ValueError, match="`boxes` of shape"):
        embed_by_size(Ragged(), halves, row_means, boxes=boxes)
    with pytest.raises(ValueError, match="at least one image"):
        embed_by_size([], halves, row_means)


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    """It used to be an InvalidArgumentError of TensorFlow's, of five lines."""
    keras.utils.save_img(tmp_path / "a.png", Ragged.images[0])
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"^Expected .*b\.png to be a sound image"):
        embed_by_size(data.ImageFolder(tmp_path), halves, row_means)
