import math

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment.crop_boxes import DRAWS_PER_BOX, RATIO, random_resized_boxes


def torchvision_box(draws, height, width, scale, ratio):
    """torchvision's loop, with its random numbers taken from a row of draws."""
    for attempt in range(10):
        area = height * width * (scale[0] + draws[2 * attempt] * (scale[1] - scale[0]))
        low, high = math.log(ratio[0]), math.log(ratio[1])
        aspect = math.exp(low + draws[2 * attempt + 1] * (high - low))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(draws[20] * (height - h + 1)), int(draws[21] * (width - w + 1))
            return top, left, h, w
    if width / height < min(ratio):
        h, w = round(width / min(ratio)), width
    elif width / height > max(ratio):
        h, w = height, round(height * max(ratio))
    else:
        h, w = height, width
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [(375, 500, (0.4, 1.0)), (32, 32, (0.05, 0.4)), (40, 400, (0.3, 1.0)), (400, 40, (0.9, 1.0))],
)
def test_boxes_are_torchvisions(height, width, scale):
    draws = np.random.default_rng(0).random((500, DRAWS_PER_BOX), dtype=np.float32)
    boxes = random_resized_boxes(tf.constant(draws), height, width, scale).numpy()
    expected = np.array([torchvision_box(row, height, width, scale, RATIO) for row in draws])
    # A size that lies within rounding of a half may go the other way in float32.
    same = (boxes == expected).all(axis=1)
    assert same.mean() > 0.99
    assert np.abs(boxes - expected).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(20, 100), (100, 20), (30, 33)])
def test_the_largest_centerd_box_is_taken_where_no_try_fits(height, width):
    # A try of the whole area and any ratio but the image's own is too long on one side.
    draws = np.full((1, DRAWS_PER_BOX), 0.999, np.float32)
    box = random_resized_boxes(tf.constant(draws), height, width, (1.0, 1.0)).numpy()[0]
    np.testing.assert_array_equal(box, torchvision_box(draws[0], height, width, (1, 1), RATIO))
    assert box[2] == height or box[3] == width


def test_boxes_have_torchvisions_distribution():
    rng = np.random.default_rng(1)
    draws = rng.random((4000, DRAWS_PER_BOX), dtype=np.float32)
    boxes = random_resized_boxes(tf.constant(draws), 90, 120, (0.1, 1.0)).numpy()
    fresh = rng.random((4000, DRAWS_PER_BOX))
    expected = np.array([torchvision_box(row, 90, 120, (0.1, 1.0), RATIO) for row in fresh])
    quantiles = np.linspace(0.05, 0.95, 10)
    for column in range(4):
        np.testing.assert_allclose(
            np.quantile(boxes[:, column], quantiles),
            np.quantile(expected[:, column], quantiles),
            atol=3.5,
        )


def test_boxes_stay_inside_the_image_for_the_largest_draw():
    draws = tf.fill((1, DRAWS_PER_BOX), np.float32(1 - 2**-24))
    top, left, height, width = random_resized_boxes(draws, 50, 60, (0.2, 0.3)).numpy()[0]
    assert top + height == 50
    assert left + width == 60


def test_sizes_may_be_tensors():
    draws = tf.random.stateless_uniform((5, DRAWS_PER_BOX), (0, 0))
    sizes = tf.constant([50, 60])
    boxes = tf.function(lambda d, s: random_resized_boxes(d, s[0], s[1], (0.2, 1.0)))(draws, sizes)
    np.testing.assert_array_equal(boxes, random_resized_boxes(draws, 50, 60, (0.2, 1.0)))
