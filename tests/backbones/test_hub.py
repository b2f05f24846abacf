import importlib.util

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="keras-hub isn't installed")

from keras_adasim import backbones
from tests.backbones import hub_presets
from tests.models import tiny

IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    root = tmp_path_factory.mktemp("presets")
    for name, converter in (("dinov2", True), ("dinov3", False), ("densenet", False)):
        hub_presets.save(getattr(hub_presets, name)(), root / name, converter)
    return root


@pytest.mark.parametrize(("name", "prefix"), [("dinov2", 6), ("dinov3", 5)])
def test_class_token_and_patches(presets, name, prefix):
    """Register tokens used to be taken for patches where the counts allow it."""
    backbone = backbones.get(f"hub:{presets / name}")
    inner = hub_presets.models.Backbone.from_preset(str(presets / name))
    sequence = inner({inner.inputs[0].name: IMAGES})
    outputs = backbone(IMAGES)
    np.testing.assert_allclose(outputs["features"], sequence[:, 0], atol=1e-6)
    np.testing.assert_allclose(outputs["tokens"], sequence[:, prefix:], atol=1e-6)
    assert outputs["tokens"].shape[1] == 4
    assert backbone.fixed_image_size == 8


def test_the_converters_normalization_is_told(presets):
    backbone = backbones.get(presets / "dinov2")
    np.testing.assert_allclose(backbone.mean, hub_presets.MEAN)
    np.testing.assert_allclose(backbone.std, hub_presets.STD)
    assert backbones.get(presets / "dinov3").mean is None


def test_scale_alone(tmp_path):
    preset = hub_presets.save(hub_presets.densenet(), tmp_path / "preset")
    hub_presets.keras_hub.layers.ImageConverter(scale=1 / 255).save_to_preset(str(preset))
    backbone = backbones.get(f"hub:{preset}")
    np.testing.assert_allclose(backbone.mean, [0, 0, 0])
    np.testing.assert_allclose(backbone.std, [1, 1, 1])


def test_home_folder(presets, monkeypatch):
    monkeypatch.setenv("HOME", str(presets))
    assert backbones.get("hub:~/dinov3").feature_dim == 8
    assert backbones.get("~/dinov3").feature_dim == 8


def test_another_size_and_arguments_of_the_constructor(presets):
    backbone = backbones.get(f"hub:{presets / 'dinov2'}", image_size=12, dropout_rate=0.5)
    assert backbone.image_size == backbone.fixed_image_size == 12
    assert backbone.output["tokens"].shape == (None, 9, 8)
    assert backbone.backbone.dropout_rate == 0.5
    # A map has no size of its own.
    backbone = backbones.get(f"hub:{presets / 'densenet'}", image_size=64)
    assert (backbone.image_size, backbone.fixed_image_size) == (64, None)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("densenet", {"drop_path_rate": 0.1}, r"DenseNetBackbone takes.*drop_path_rate=0\.1"),
        # KerasHub's layer for it ends in an error in training.
        ("dinov2", {"drop_path_rate": 0.1}, r"`drop_path_rate` to be 0.*drop_path_rate=0\.1"),
        ("dinov2", {"channels": 4}, r"`channels` to be 3.*channels=4"),
        ("dinov2", {"hidden_size": 4}, r"DINOV2Backbone takes.*hidden_size=4"),
    ],
)
def test_arguments_that_do_not_fit(presets, name, arguments, message):
    with pytest.raises(ValueError, match=message):
        backbones.get(f"hub:{presets / name}", **arguments)


def test_weights_for_one_size(tmp_path):
    preset = hub_presets.save(hub_presets.vit(), tmp_path / "vit")
    with pytest.raises(ValueError, match=r"with image_shape=\(16, 16, 3\).*vit, which gave"):
        backbones.get(f"hub:{preset}", image_size=16)


def test_text_is_refused(tmp_path):
    preset = hub_presets.save(hub_presets.bert(), tmp_path / "bert")
    with pytest.raises(ValueError, match=r"image backbone.*a BertBackbone with inputs") as error:
        backbones.get(preset)
    assert "\n" not in str(error.value)
    # By its name, before anything is fetched.
    with pytest.raises(ValueError, match="hub:bert_base_en, which is one for text or audio"):
        backbones.get("hub:bert_base_en")


def test_unknown_names():
    with pytest.raises(ValueError, match=r"hub:dinov2_smal, which is neither.*hub:dinov2_small"):
        backbones.get("hub:dinov2_smal")
    with pytest.raises(ValueError, match="hub:/nowhere, which is neither"):
        backbones.get("hub:/nowhere")


@pytest.mark.parametrize("error", [ConnectionError("no route\nto host"), ValueError("404")])
def test_a_preset_that_cannot_be_fetched(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(hub_presets.models.Backbone, "from_preset", fail)
    with pytest.raises(
        ValueError, match=f"hub:dinov2_small, which gave {type(error).__name__}"
    ) as e:
        backbones.get("hub:dinov2_small")
    assert "\n" not in str(e.value)


def test_without_keras_hub(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'keras-adasim\[hub\]'"):
        backbones.get("hub:dinov2_small")


def test_multi_crop_is_refused(presets):
    with pytest.raises(ValueError, match=r"8 x 8 pixels.*num_local=0"):
        tiny.model(backbones.get(f"hub:{presets / 'dinov3'}"), num_local=1)
