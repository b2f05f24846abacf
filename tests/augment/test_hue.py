import colorsys

import numpy as np
import tensorflow as tf

from keras_adasim.augment.hue import shift_hue


def oracle(image, turns):
    def shift(pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((hue + turns) % 1.0, saturation, value)

    return np.apply_along_axis(lambda pixel: np.array(shift(pixel)), 2, image)


def test_shift_equals_the_way_through_hsv():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 5, 5, 3)).astype(np.float32) / 255
    images[0, 0] = [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [1, 1, 0]]
    images[1, 0] = [[0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0.2, 0.2, 0.1]]
    turns = np.array([-0.5, -0.1, 0.0, 0.03, 0.1, 0.5], np.float32)
    shifted = shift_hue(tf.constant(images), tf.constant(turns)).numpy()
    expected = np.stack([oracle(image, turn) for image, turn in zip(images, turns, strict=True)])
    np.testing.assert_allclose(shifted, expected, atol=2e-6)


def test_a_third_of_a_turn_turns_red_into_green():
    red = tf.constant([200.0, 50.0, 50.0], shape=(1, 1, 1, 3))
    green = shift_hue(red, tf.constant([1 / 3])).numpy()[0, 0, 0]
    np.testing.assert_allclose(green, [50.0, 200.0, 50.0], atol=1e-3)
