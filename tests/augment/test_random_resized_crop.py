import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_adasim.augment import RandomResizedCrop
from keras_adasim.layers.preprocessing import resize_weights

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def pillow_crop(image, box, size, interpolation):
    top, left, height, width = box
    channels = [
        Image.fromarray(channel).resize((size, size), PILLOW[interpolation])
        for channel in np.moveaxis(image[top : top + height, left : left + width], 2, 0)
    ]
    return np.clip(np.stack(channels, axis=2), 0, 255)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [7, 20, 64])
def test_crops_are_pillows(interpolation, size):
    images = np.random.default_rng(0).integers(0, 256, (3, 30, 41, 2)).astype(np.float32)
    boxes = np.array([[0, 0, 30, 41], [5, 9, 13, 20], [28, 39, 2, 2]], np.int32)
    layer = RandomResizedCrop(size, interpolation=interpolation)
    crops = layer.augment_images(tf.constant(images), tf.constant(boxes)).numpy()
    for crop, image, box in zip(crops, images, boxes, strict=True):
        np.testing.assert_allclose(crop, pillow_crop(image, box, size, interpolation), atol=2e-3)


def test_nothing_outside_the_box_has_an_influence():
    weights = resize_weights(tf.constant([3.0]), tf.constant([5.0]), 12, 9, "bicubic").numpy()[0]
    assert np.all(weights[:, :3] == 0)
    assert np.all(weights[:, 8:] == 0)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)


def test_uint8_images_become_float_crops_of_the_size():
    images = tf.cast(tf.random.stateless_uniform((4, 10, 12, 5), (0, 0), 0, 256, tf.int32), "uint8")
    crops = RandomResizedCrop(6)(images)
    assert crops.shape == (4, 6, 6, 5)
    assert crops.dtype == tf.float32


def test_every_image_gets_its_own_box():
    ramp = tf.tile(tf.range(32.0)[None, None, :, None], (8, 32, 1, 1))
    crops = RandomResizedCrop(4, (0.1, 0.3), seed=1)(ramp).numpy()
    assert len(np.unique(crops[:, 0, 0, 0])) > 4


def test_config_makes_an_equal_layer():
    layer = RandomResizedCrop(8, (0.2, 0.5), (0.9, 1.1), "bicubic", dtype="float32")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"size": 0}, "size"),
        ({"scale": (0.0, 1.0)}, "scale"),
        ({"scale": (0.5, 1.1)}, "scale"),
        ({"ratio": (2.0, 1.0)}, "ratio"),
        ({"interpolation": "nearest"}, "interpolation"),
    ],
)
def test_bad_arguments_are_named(changes, match):
    with pytest.raises(ValueError, match=f"Expected `{match}`"):
        RandomResizedCrop(**{"size": 8, **changes})
