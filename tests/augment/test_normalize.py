import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment import Normalize


def test_images_are_centerd_and_scaled_per_channel():
    images = tf.constant([[0.0, 255.0], [127.5, 51.0]])
    normalized = Normalize((0.5, 0.2), (0.25, 0.4))(images)
    np.testing.assert_allclose(normalized, [[-2.0, 2.0], [0.0, 0.0]], atol=1e-6)


def test_config_makes_an_equal_layer():
    layer = Normalize((0.5, 0.2), (0.25, 0.4))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("std", [(0.5,), (0.5, 0.0)])
def test_bad_statistics_are_named(std):
    with pytest.raises(ValueError, match=r"Expected .*`std`"):
        Normalize((0.5, 0.5), std)
