import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment import RandomApply, first_view, local_view, second_view, symmetric_view
from keras_adasim.augment.policies import needs_rgb

COLOR = [("flip", 0.5), ("color_jitter", 0.8), ("grayscale", 0.2)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (first_view, [*COLOR, ("blur", 1.0)]),
        (second_view, [*COLOR, ("blur", 0.1), ("solarize", 0.2)]),
        (local_view, [*COLOR, ("blur", 0.5)]),
        (symmetric_view, [*COLOR, ("blur", 0.5)]),
    ],
)
def test_layers_and_rates_are_dinos(policy, expected):
    layers = policy()
    assert [(layer.name, layer.rate) for layer in layers] == expected
    assert all(layer.compute_dtype == "float32" for layer in layers)


def test_jitter_and_blur_have_dinos_strengths():
    jitter = first_view()[1].layer
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (
        0.4,
        0.4,
        0.2,
        0.1,
    )
    assert symmetric_view()[1].layer.saturation == 0.4
    assert first_view()[-1].layer.sigma == (0.1, 2.0)


def test_solarization_inverts_from_128_on():
    images = tf.reshape(tf.range(256.0), (1, 16, 16, 1))
    solarized = second_view()[-1].layer(images).numpy().ravel()
    values = np.arange(256)
    np.testing.assert_array_equal(solarized, np.where(values < 128, values, 255 - values))


def test_gray_has_torchvisions_weights():
    images = tf.constant([100.0, 50.0, 200.0], shape=(1, 1, 1, 3))
    expected = 0.2989 * 100 + 0.587 * 50 + 0.114 * 200
    np.testing.assert_allclose(first_view()[2].layer(images), np.full((1, 1, 1, 3), expected))


def test_layers_that_need_rgb_are_recognized_inside_random_apply():
    assert [needs_rgb(layer) for layer in second_view()] == [False, True, True, False, False]
    assert needs_rgb(RandomApply(keras_cv.layers.RandomHue(0.1, (0, 255))))
