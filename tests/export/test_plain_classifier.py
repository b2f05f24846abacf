"""`plain_classifier`: the same logits from Keras' own layers."""

import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_adasim as ka
from keras_adasim.layers.preprocessing import preprocess
from tests.export.backbones import MEAN, STD, transformer


def adapted(size=16, **arguments):
    images = keras.Input((size, size, 3))
    maps = keras.layers.Conv2D(7, 5, strides=3)(images)
    maps = keras.layers.BatchNormalization()(maps)
    backbone = ka.backbones.adapt(keras.Model(images, maps))
    made = ka.export.ImageClassifier(backbone, ["cat", "dog"], size, MEAN, STD, **arguments)
    made.head.kernel.assign(np.random.default_rng(0).normal(size=made.head.kernel.shape))
    return made


@pytest.fixture(scope="module")
def both():
    made = adapted()
    return made, ka.export.plain_classifier(made)


@pytest.mark.parametrize("sides", [(10, 13), (16, 16), (50, 33)])
def test_equal_on_every_size_and_scale(both, sides):
    """Called directly too, which Keras' own layer `Resizing` turned into training."""
    classifier, plain = both
    images = np.random.default_rng(1).integers(0, 256, (3, *sides, 3), np.uint8)
    expected = np.asarray(classifier(images))
    for same in (images, images.astype(np.float32), images / np.float32(255)):
        np.testing.assert_allclose(plain(same), expected, atol=1e-5)
        np.testing.assert_allclose(plain.predict(same, verbose=0), expected, atol=1e-5)
    inner = keras.Model(plain.input, plain.get_layer("normalization").output)
    wanted = preprocess(tf.constant(images), 16, MEAN, STD)
    np.testing.assert_allclose(inner(images), wanted, atol=1e-5)


def test_the_scale_is_each_image_s_own(both):
    images = np.random.default_rng(1).uniform(0, 1, (2, 16, 16, 3)).astype(np.float32)
    mixed = both[1](images * np.array([1, 255])[:, None, None, None])
    np.testing.assert_allclose(mixed, both[1](images), atol=1e-5)


@pytest.mark.slow
def test_compiled_by_xla(both):
    """As `predict` is on a GPU; the antialiased resize of TensorFlow has no kernel there."""
    images = np.random.default_rng(1).uniform(0, 255, (3, 30, 12, 3)).astype(np.float32)
    compiled = tf.function(both[1], jit_compile=True)
    np.testing.assert_allclose(compiled(images), both[1](images), atol=1e-5)


def test_its_file_names_nothing_of_ours(both, tmp_path):
    both[1].save(tmp_path / "plain.keras")
    with zipfile.ZipFile(tmp_path / "plain.keras") as archive:
        assert "adasim" not in json.dumps(json.loads(archive.read("config.json")))
    again = keras.saving.load_model(tmp_path / "plain.keras")
    images = np.random.default_rng(1).integers(0, 256, (2, 9, 9, 3), np.uint8)
    np.testing.assert_array_equal(again(images), both[1](images))


def test_a_model_with_a_dictionary_of_inputs():
    """As KerasHub's DINOv2; Keras warned at every call."""
    images = keras.Input((8, 8, 3), name="images")
    model = keras.Model({"images": images}, keras.layers.Conv2D(4, 3)(images))
    backbone = ka.backbones.adapt(model)
    made = ka.export.ImageClassifier(backbone, ["cat", "dog"], 8, MEAN, STD)
    assert ka.export.plain_classifier(made)(np.zeros((2, 9, 9, 3), np.uint8)).shape == (2, 2)


def test_refused():
    ours = ka.export.ImageClassifier(transformer(1), ["cat", "dog"], 16, MEAN, STD)
    for classifier in (ours, adapted(value_range=(0, 9))):
        with pytest.raises(ValueError, match="`classifier`"):
            ka.export.plain_classifier(classifier)
