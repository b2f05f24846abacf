"""What holds of every box: inside the image, and of the area and ratio asked for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_adasim.augment.crop_boxes import DRAWS_PER_BOX, random_resized_boxes

sides = st.integers(1, 400)


@given(sides, sides, st.data())
def test_boxes_are_inside_and_of_the_shape_asked_for(height, width, data):
    scale = sorted(data.draw(st.tuples(*[st.floats(0.01, 1)] * 2)))
    ratio = sorted(data.draw(st.tuples(*[st.floats(0.2, 5)] * 2)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    draws = rng.random((30, DRAWS_PER_BOX), np.float32)
    draws[0], draws[1] = 0, 1 - 2**-24
    boxes = random_resized_boxes(draws, height, width, scale, ratio).numpy()
    top, left, box_height, box_width = boxes.T
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] > 0).all()
    assert (top + box_height <= height).all()
    assert (left + box_width <= width).all()
    # Sides are rounded to pixels: by half a pixel at most, each.
    most = (box_width + 0.5) / (box_height - 0.5)
    least = (box_width - 0.5) / (box_height + 0.5)
    largest = (box_height + 0.5) * (box_width + 0.5) / (height * width)
    fallback = (top == (height - box_height) // 2) & (left == (width - box_width) // 2)
    assert ((least <= ratio[1] + 1e-4) & (most >= ratio[0] - 1e-4) | fallback).all()
    assert ((largest >= scale[0] - 1e-4) | fallback).all()
    smallest = (box_height - 0.5) * (box_width - 0.5) / (height * width)
    assert ((smallest <= scale[1] + 1e-4) | fallback).all()
