"""`ImageClassifier`: what goes in, what comes out, and its file."""

import keras
import numpy as np
import pytest

import keras_adasim as ka
from tests.export.backbones import MEAN, STD, transformer

NAMES = ["cat", "dog", "owl"]


def classifier(**arguments):
    made = ka.export.ImageClassifier(transformer(), NAMES, 16, MEAN, STD, **arguments)
    made.head.kernel.assign(np.random.default_rng(0).normal(size=made.head.kernel.shape))
    return made


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (3, 20, 30, 3), np.uint8)


def test_equals_preprocessing_backbone_and_head(images):
    made = classifier()
    pixels = ka.export.preprocess(keras.ops.convert_to_tensor(images), 16, MEAN, STD)
    expected = made.backbone(pixels)["features"] @ made.head.kernel
    np.testing.assert_allclose(made(images), expected, atol=1e-5)
    for same in (images / 255, (images / 255).astype(np.float32)):
        np.testing.assert_allclose(made(same), expected, atol=1e-4)
    np.testing.assert_allclose(made.predict(images, verbose=0), expected, atol=1e-5)
    assert made.compute_output_shape((None, None, None, 3)) == (None, 3)


def test_floats_of_another_scale_are_refused(images):
    with pytest.raises(Exception, match="0 to 1"):
        classifier()(images.astype(np.float32))
    with pytest.raises(ValueError, match="uint8"):
        classifier()(images.astype(np.int32))


def test_a_range_of_values(images):
    deep = classifier(value_range=(100, 1120))
    np.testing.assert_allclose(deep(images.astype(np.uint16) * 4 + 100), deep(images), atol=1e-5)


def test_a_file_has_all(images, tmp_path):
    made = classifier(name="animals", value_range=(0, 4095))
    made.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert again.get_config() == made.get_config()
    assert (again.class_names, again.name) == (("cat", "dog", "owl"), "animals")
    np.testing.assert_array_equal(again(images), made(images))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"class_names": ["cat"]}, "two classes"),
        ({"class_names": ["cat", "cat"]}, "each another name"),
        ({"class_names": "ab"}, "`class_names`"),
        ({"mean": (0.5,)}, "`mean`"),
        ({"std": (0.5, 0.5, 0)}, "`std`"),
        ({"image_size": 1.5}, "`image_size`"),
        ({"backbone": 3}, "`backbone`"),
    ],
)
def test_refused_by_name(given, message):
    right = {"backbone": transformer(1), "class_names": NAMES, "image_size": 16}
    with pytest.raises(ValueError, match=message):
        ka.export.ImageClassifier(**{**right, "mean": MEAN, "std": STD, **given})
