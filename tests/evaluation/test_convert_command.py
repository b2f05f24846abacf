import numpy as np
import pytest
import tensorflow as tf

from evaluation import convert
from keras_adasim import backbones
from keras_adasim.backbones import VisionTransformer, torch_state
from keras_adasim.export import preprocess
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD


@pytest.fixture
def small(monkeypatch):
    """A `vit_small` that is small enough for a test."""

    def make(image_size, patch_size):
        return VisionTransformer(image_size, patch_size, 12, 2, 2)

    monkeypatch.setattr(backbones, "vit_small", make)
    return make


def _checkpoint(path, model):
    names = {f"module.backbone.{name}": array for name, array in torch_state(model).items()}
    np.savez(path, **names)
    return path


@pytest.mark.parametrize("image_size", [16, 24])
def test_checkpoint_to_saved_model(small, tmp_path, capsys, image_size):
    model = small(16, 8)
    checkpoint = _checkpoint(tmp_path / "vit.npz", model)
    convert.convert(
        checkpoint,
        "vit_small",
        tmp_path / "out",
        patch_size=8,
        image_size=image_size,
        trained_size=16,
    )
    assert f"{model.count_params():,} parameters" in capsys.readouterr().out
    images = np.random.default_rng(0).integers(0, 256, (2, 30, 20, 3), np.uint8)
    normalised = preprocess(tf.constant(images), image_size, IMAGENET_MEAN, IMAGENET_STD)
    loaded = tf.saved_model.load(tmp_path / "out")
    expected = model(normalised)["features"]
    np.testing.assert_allclose(loaded.serve(images)["features"], expected, atol=1e-4)


def test_every_backbone_of_the_flag_exists():
    assert all(hasattr(backbones, name) for name in convert.BACKBONES)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"--checkpoint to be a file. Received: .*gone"):
        convert.convert(tmp_path / "gone.pth", "vit_small", tmp_path / "out")
