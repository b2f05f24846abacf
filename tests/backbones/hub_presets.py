"""KerasHub presets that are small enough for a test, with random weights."""

import pytest

keras_hub = pytest.importorskip("keras_hub", reason="keras-hub isn't installed")
models = keras_hub.models

SIZE, PATCH = 8, 4
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def dinov2(registers=5, size=SIZE, trained_size=16, **kwargs):
    """With 4 patches and 6 tokens before them, whose sum doesn't tell how many are which."""
    return models.DINOV2Backbone(
        patch_size=PATCH,
        num_layers=1,
        hidden_dim=8,
        num_heads=2,
        intermediate_dim=16,
        num_register_tokens=registers,
        image_shape=(size, size, 3),
        position_embedding_shape=(trained_size, trained_size, 3),
        **kwargs,
    )


def dinov3(size=SIZE, **kwargs):
    return models.DINOV3Backbone(
        patch_size=PATCH,
        num_layers=1,
        hidden_dim=8,
        num_heads=2,
        intermediate_dim=16,
        num_register_tokens=4,
        image_shape=(size, size, 3),
        **kwargs,
    )


def densenet():
    return models.DenseNetBackbone(stackwise_num_repeats=[1, 1], stem_filters=8)


def vit():
    return models.ViTBackbone(
        image_shape=(SIZE, SIZE, 3),
        patch_size=PATCH,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        mlp_dim=16,
    )


def bert():
    return models.BertBackbone(
        vocabulary_size=8, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16
    )


def save(backbone, folder, converter=False):
    """Writes a preset, with an image converter as KerasHub's own have one."""
    backbone.save_to_preset(str(folder))
    if converter:
        keras_hub.layers.ImageConverter(
            scale=[1 / (255 * std) for std in STD],
            offset=[-mean / std for mean, std in zip(MEAN, STD, strict=True)],
        ).save_to_preset(str(folder))
    return folder
