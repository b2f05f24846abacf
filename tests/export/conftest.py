import keras
import pytest

from keras_adasim.export import export_backbone
from tests.export.backbones import MEAN, STD, convolutional, transformer


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """Two backbones and the folders of their exports, by name; once, as tracing takes long."""
    keras.utils.set_random_seed(0)
    models = {"convolutional": convolutional(), "transformer": transformer()}
    root = tmp_path_factory.mktemp("export")
    for name, model in models.items():
        export_backbone(model, root / name, 16, MEAN, STD)
    return models, {name: root / name for name in models}
