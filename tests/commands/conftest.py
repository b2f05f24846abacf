"""A backbone that is a formula, and images for it, for the commands of the protocols."""

import pytest

from keras_adasim.commands import protocol
from keras_adasim.commands.backbone import Embedder
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
def labeled_images(tmp_path):
    """A folder with six training and two test images of three classes."""
    color_folder(tmp_path / "images" / "train")
    color_folder(tmp_path / "images" / "test", per_class=2)
    return tmp_path / "images"
