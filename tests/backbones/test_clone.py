"""The one way to copy a backbone."""

import keras
import numpy as np
import pytest

from keras_adasim.backbones import adapt
from keras_adasim.backbones.clone import clone_backbone
from tests.models import tiny


def own_layer(factor, package=None):
    """A model with a layer of one's own, of a new class that may be registered with Keras."""

    class Scale(keras.layers.Layer):
        def call(self, x):
            return factor * x

    if package:
        keras.saving.register_keras_serializable(package=package)(Scale)
    images = keras.Input((8, 8, 3))
    maps = Scale()(keras.layers.Conv2D(4, 3)(images))
    return keras.Model(images, {"features": keras.layers.GlobalAveragePooling2D()(maps)})


def nested():
    model = own_layer(2.0)
    return adapt(keras.Model(model.input, model.layers[-2].output))


@pytest.mark.parametrize("build", [tiny.vit, lambda: own_layer(2.0), nested])
def test_a_clone_is_equal_and_shares_nothing(build):
    """A layer that isn't registered with Keras used to be refused, at least by the export."""
    backbone = build()
    clone = clone_backbone(backbone)
    assert type(clone) is type(backbone)
    images = np.random.default_rng(0).random((2, 8, 8, 3), "float32")
    before = backbone(images)["features"].numpy()
    np.testing.assert_array_equal(clone(images)["features"], before)
    clone.set_weights([weight + 1.0 for weight in clone.get_weights()])
    np.testing.assert_array_equal(backbone(images)["features"], before)


def test_a_class_that_was_registered_again_is_not_confused_with_the_new_one():
    """In a notebook a cell is run twice; the copy was made of the newest class of that name."""
    backbone = own_layer(2.0, package="tests_clone")
    own_layer(3.0, package="tests_clone")
    clone = clone_backbone(backbone)
    assert [type(layer) for layer in clone.layers] == [type(layer) for layer in backbone.layers]
