"""A backbone that is a formula, and images for it, for the commands of the protocols."""

import keras
import pytest

from benchmarks import make_datasets
from keras_adasim import backbones
from keras_adasim.commands import few_labels, finetune, folder_protocol, protocol
from keras_adasim.commands.backbone import Embedder, Pretrained
from tests.commands.folders import patch_colors
from tests.commands.protocols import color_folder, mean_color


@pytest.fixture
def embedder(tmp_path, monkeypatch):
    """The mean of each channel, as what `--backbone=colors` names."""
    folder = tmp_path / "backbone"
    folder.mkdir()
    made = Embedder(mean_color, 8, 3, fingerprint="0123456789abcdef", folder=folder)
    monkeypatch.setattr(protocol, "load_embedder", lambda identifier: made)
    return made


@pytest.fixture
def pretrained(monkeypatch):
    """A backbone of one convolution to train on, whatever `--backbone` names."""
    images = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(6, 3, activation="relu")(images)
    backbone = backbones.adapt(keras.Model(images, maps), image_size=8)
    made = Pretrained(backbone, 8, 3, (0.5,) * 3, (0.25,) * 3)
    for command in (finetune, few_labels):
        monkeypatch.setattr(command, "load_pretrained", lambda identifier: made)
    return made


@pytest.fixture
def labeled_images(tmp_path):
    """A folder with six training and two test images of three classes."""
    color_folder(tmp_path / "images" / "train")
    color_folder(tmp_path / "images" / "test", per_class=2)
    return tmp_path / "images"


@pytest.fixture(scope="session")
def small_sets(tmp_path_factory):
    """The folder of what `benchmarks/make_datasets.py` makes, next to nothing of it."""
    folder = tmp_path_factory.mktemp("sets")
    color_folder(folder / "cifar10" / "train", per_class=12)
    make_datasets.make_all(folder / "cifar10", folder / "sets", small=True)
    return folder / "sets"


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Mean colors of image and patches, as what `--backbone=colors` names."""
    folder = tmp_path / "backbone"
    folder.mkdir()
    made = patch_colors(folder)
    monkeypatch.setattr(folder_protocol, "load_network", lambda identifier: made)
    return made
