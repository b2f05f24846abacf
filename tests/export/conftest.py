import shutil

import keras
import pytest
import tensorflow as tf

from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.export import export_backbone, saved_model
from tests.export.backbones import MEAN, STD, convolutional, teacher_and_student, tiny, transformer


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """Two backbones and the folders of their exports, by name; once, as tracing takes long.

    The transformer is a teacher, whose drop path is switched off; the export gets its student's.
    """
    keras.utils.set_random_seed(0)
    models = {"convolutional": convolutional(), "transformer": transformer()}
    root = tmp_path_factory.mktemp("export")
    export_backbone(models["convolutional"], root / "convolutional", 16, MEAN, STD)
    for layer in sublayers(models["transformer"]):
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    trained = teacher_and_student(models["transformer"], transformer(), MEAN, STD)
    export_backbone(trained, root / "transformer", 16)
    return models, {name: root / name for name in models}


@pytest.fixture(scope="module")
def tiny_export(tmp_path_factory):
    """The export of the least that can be exported."""
    export_backbone(tiny(), folder := tmp_path_factory.mktemp("tiny") / "export", 16)
    return folder


@pytest.fixture
def taken(tiny_export, tmp_path):
    """A copy of that, which may be changed."""
    return shutil.copytree(tiny_export, tmp_path / "taken")


@pytest.fixture
def bytes_alone(monkeypatch):
    """Exports are traced for uint8 images alone; `exports` are for all types."""
    monkeypatch.setattr(saved_model, "IMAGE_TYPES", (tf.uint8,))
