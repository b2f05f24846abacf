"""Every variable's rate, against tables that are written out."""

import keras
import numpy as np
import pytest

from keras_adasim import backbones
from keras_adasim.evaluation.layer_decay import LayerwiseAdamW, layer_groups, layer_scales
from keras_adasim.optimizers import AdamW


def powers(backbone):
    """Power of the decay of every variable, by its path below the model."""
    scales = layer_scales(backbone, 0.5)
    return {
        variable.path: round(-np.log2(scale))
        for variable, scale in zip(backbone.trainable_variables, scales, strict=True)
    }


def assert_table(backbone, table):
    """Each variable has the power of the first layer on its path that is in the table."""
    found = powers(backbone)
    assert len(found) == len(backbone.trainable_variables)
    for path, power in found.items():
        layer = next(name for name in path.split("/") if name in table)
        assert power == table[layer], path
    for name in table:
        assert any(name in path.split("/") for path in found), name


def test_vision_transformer():
    backbone = backbones.VisionTransformer(8, 4, embed_dim=8, depth=3, num_heads=2)
    table = {"patch_embedding": 4, "position_embedding": 4, "norm": 0}
    assert_table(backbone, table | {"block_0": 3, "block_1": 2, "block_2": 1})


def test_swin_transformer():
    """The merging behind a stage is of its last block's group, as in SimMIM's code."""
    backbone = backbones.SwinTransformer(32, 4, 8, depths=(2, 1), num_heads=(1, 2), window_size=4)
    table = {"patch_embedding": 4, "patch_norm": 4, "merging_1": 2, "norm": 0}
    blocks = {"stage_0_block_0": 3, "stage_0_block_1": 2, "stage_1_block_0": 1}
    assert_table(backbone, table | blocks)


def test_resnet():
    backbone = backbones.ResNet(16, filters=(4, 8), num_blocks=(2, 1), stem="cifar")
    table = {"stem_convolution": 3, "stem_batch_norm": 3}
    blocks = {"stage_0_block_0": 2, "stage_0_block_1": 2, "stage_1_block_0": 1}
    assert_table(backbone, table | blocks)


def test_any_other_backbone_by_the_order_of_its_layers():
    x = images = keras.Input((8, 8, 3))
    for i in range(30):
        x = keras.layers.Conv2D(2, 1, name=f"c{i}")(x)
    backbone = backbones.adapt(keras.Model(images, x))
    groups = layer_groups(backbone)
    assert [len(group) // 2 for group in groups] == [3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 0]
    order = [int(v.path.split("/")[-2][1:]) for group in groups for v in group]
    assert order == sorted(order)
    assert powers(backbone)[backbone.trainable_variables[0].path] == 12
    x = keras.layers.Conv2D(2, 1)(images)
    assert len(layer_groups(backbones.adapt(keras.Model(images, x)))) == 2


@pytest.mark.parametrize("decay", [0, 1.5, float("nan"), "x"])
def test_refused(decay):
    with pytest.raises(ValueError, match="layer_decay"):
        layer_scales(backbones.VisionTransformer(8, 4, 8, 1, 2), decay)


def test_steps_are_those_of_adamw_at_each_rate():
    """And what is called a position isn't decayed."""
    random = np.random.default_rng(0)
    values, gradients = random.normal(size=(2, 3, 4, 5)).astype("float32")
    names = ("kernel", "kernel_2", "position_embedding")
    scales = (1.0, 0.25, 0.5)
    found = [keras.Variable(v, name=name) for v, name in zip(values, names, strict=True)]
    optimizer = LayerwiseAdamW(0.1, 0.5, scales)
    for _ in range(3):
        optimizer.apply(list(map(keras.ops.convert_to_tensor, gradients)), found)
    for i, (variable, scale) in enumerate(zip(found, scales, strict=True)):
        alone = keras.Variable(values[i], name="kernel")
        reference = AdamW(0.1 * scale, 0.0 if i == 2 else 0.5)
        for _ in range(3):
            reference.apply([keras.ops.convert_to_tensor(gradients[i])], [alone])
        np.testing.assert_allclose(variable, alone, rtol=1e-6)
