"""`export_classifier`: complete or not there, and never in another's place."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_adasim as ka
from keras_adasim.export.export_classifier import FILE_NAME, FOLDER_NAME
from tests.export.backbones import MEAN, STD, convolutional


@pytest.fixture
def classifier():
    made = ka.export.ImageClassifier(convolutional(), ["cat", "dog"], 16, MEAN, STD, (0, 999))
    made.head.kernel.assign(np.random.default_rng(0).normal(size=made.head.kernel.shape))
    return made


@pytest.mark.slow
def test_both_files_give_the_logits(classifier, tmp_path):
    assert ka.export.export_classifier(classifier, tmp_path)
    images = np.random.default_rng(1).integers(0, 999, (3, 20, 12, 3)).astype(np.uint16)
    again = keras.saving.load_model(tmp_path / FILE_NAME)
    np.testing.assert_allclose(again(images), classifier(images), atol=1e-6)
    served = tf.saved_model.load(str(tmp_path / FOLDER_NAME))
    np.testing.assert_allclose(served.serve(images)["logits"], classifier(images), atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == [FOLDER_NAME, FILE_NAME]
    with pytest.raises(FileExistsError, match=r"`path`.*holds classifier\.keras"):
        ka.export.export_classifier(classifier, tmp_path)


def test_after_a_failure_the_earlier_one_is_there(classifier, tmp_path, monkeypatch):
    (tmp_path / FILE_NAME).write_text("earlier")

    def fail(path, **_):
        raise ValueError("Could not locate class 'Mine'")

    monkeypatch.setattr(keras.saving, "load_model", fail)
    with pytest.raises(ValueError, match="register_keras_serializable"):
        ka.export.export_classifier(classifier, tmp_path, overwrite=True)
    assert (tmp_path / FILE_NAME).read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 1


def test_weights_that_are_not_finite_are_refused(classifier, tmp_path):
    classifier.head.bias.assign([0, np.nan])
    with pytest.raises(ka.NotFiniteError, match="head"):
        ka.export.export_classifier(classifier, tmp_path / "new")
    assert not (tmp_path / "new").exists()
