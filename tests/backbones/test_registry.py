import inspect

import keras
import numpy as np
import pytest

from keras_adasim import backbones
from keras_adasim.export import export_backbone
from tests.export.backbones import tiny, transformer


def test_presets_are_their_functions():
    assert list(backbones.PRESETS) == [
        "vit_mini",
        "vit_tiny",
        "vit_small",
        "vit_base",
        "resnet18_cifar",
        "resnet50",
        "swin_tiny",
    ]
    for name, preset in backbones.PRESETS.items():
        assert preset is getattr(backbones, name)


def test_signatures_tell_the_settings():
    settings = {
        name: [
            p.name for p in inspect.signature(preset).parameters.values() if p.kind != p.VAR_KEYWORD
        ]
        for name, preset in backbones.PRESETS.items()
    }
    vit = ["image_size", "patch_size", "num_heads", "drop_path_rate"]
    resnet = ["image_size", "zero_init_residual"]
    assert settings == {
        **dict.fromkeys(("vit_mini", "vit_tiny", "vit_small", "vit_base"), vit),
        **dict.fromkeys(("resnet18_cifar", "resnet50"), resnet),
        "swin_tiny": ["image_size", "window_size", "drop_path_rate"],
    }
    for preset in backbones.PRESETS.values():
        described = inspect.getdoc(preset).partition("Args:\n")[2].partition("\n\n")[0]
        for name in inspect.signature(preset).parameters:
            assert f"{name}: " in described


def test_a_new_backbone():
    backbone = backbones.get("vit_mini", 32, channels=2, patch_size=8, num_heads=4, name="mine")
    assert backbone.input_shape == (None, None, None, 2)
    assert (backbone.image_size, backbone.patch_size, backbone.num_heads) == (32, 8, 4)
    assert backbone.name == "mine"
    assert backbones.get("vit_mini").image_size == 224


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("resnet50", {"patch_size": 16}, r"'resnet50' takes.*patch_size=16.*zero_init_residual"),
        ("vit_mini", {"window_size": 7}, r"'vit_mini' takes.*window_size=7.*patch_size"),
        ("vit_mini", {"image_size": 2.0}, r"`image_size` to be a positive integer.*2\.0"),
        ("vit_mini", {"channels": True}, r"`channels` to be a positive integer.*True"),
        ("vit_mini", {"num_heads": "3"}, r"`num_heads` to be a positive integer.*'3'"),
        ("vit_smal", {}, r"vit_mini.*hub:PRESET.*'vit_smal'.*no such folder.*Did you.*'vit_small'"),
        (3, {}, r"name, a folder or a `keras\.Model`.*identifier=3"),
    ],
)
def test_what_does_not_fit(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        backbones.get(name, **arguments)


def test_models_are_taken_as_they_are_or_adapted():
    backbone = tiny()
    assert backbones.get(backbone) is backbone
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, keras.layers.Conv2D(4, 3)(images), name="mine")
    adapted = backbones.get(model, image_size=8)
    assert isinstance(adapted, backbones.AdaptedBackbone)
    with pytest.raises(ValueError, match=r"'mine' takes.*patch_size=4"):
        backbones.get(model, patch_size=4)
    with pytest.raises(ValueError, match=r"`image_size` to be 8.*image_size=16"):
        backbones.get(adapted, image_size=16)


@pytest.mark.large
def test_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    # A folder that is nothing of ours doesn't hide a preset.
    (tmp_path / "vit_mini").mkdir()
    assert isinstance(backbones.get("vit_mini"), backbones.VisionTransformer)
    (tmp_path / "notes").mkdir()
    with pytest.raises(ValueError, match=r"notes' is no run .*no export .*no KerasHub preset"):
        backbones.get("notes")
    # A run of that name does.
    trained = transformer(depth=1)
    export_backbone(trained, "vit_mini/saved_model", 16, mean=[0.5] * 3, std=[0.25] * 3)
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    expected = trained(images)["features"]
    for identifier in ("vit_mini", "~/vit_mini", tmp_path / "vit_mini" / "saved_model"):
        backbone = backbones.get(identifier, image_size=32)
        np.testing.assert_array_equal(backbone(images)["features"], expected)
        assert (backbone.mean, backbone.std) == ((0.5,) * 3, (0.25,) * 3)
    with pytest.raises(ValueError, match=r"'vit_mini' takes.*patch_size=8"):
        backbones.get("vit_mini", patch_size=8)
    with pytest.raises(ValueError, match=r"`channels` to be 3.*channels=1"):
        backbones.get("vit_mini", channels=1)
