"""The fixtures were written by PyTorch 2.13 with this script.

import argparse, collections, numpy as np, torch

D, HIDDEN, BOTTLENECK, K = 8, 12, 6, 10
SHAPES = {
    "backbone.cls_token": (1, 1, D),
    "backbone.pos_embed": (1, 5, D),
    "backbone.patch_embed.proj.weight": (D, 3, 4, 4),
    "backbone.patch_embed.proj.bias": (D,),
    "backbone.blocks.0.norm1.weight": (D,),
    "backbone.blocks.0.norm1.bias": (D,),
    "backbone.blocks.0.attn.qkv.weight": (3 * D, D),
    "backbone.blocks.0.attn.qkv.bias": (3 * D,),
    "backbone.blocks.0.attn.proj.weight": (D, D),
    "backbone.blocks.0.attn.proj.bias": (D,),
    "backbone.blocks.0.norm2.weight": (D,),
    "backbone.blocks.0.norm2.bias": (D,),
    "backbone.blocks.0.mlp.fc1.weight": (4 * D, D),
    "backbone.blocks.0.mlp.fc1.bias": (4 * D,),
    "backbone.blocks.0.mlp.fc2.weight": (D, 4 * D),
    "backbone.blocks.0.mlp.fc2.bias": (D,),
    "backbone.norm.weight": (D,),
    "backbone.norm.bias": (D,),
    "head.mlp.0.weight": (HIDDEN, D),
    "head.mlp.0.bias": (HIDDEN,),
    "head.mlp.2.weight": (HIDDEN, HIDDEN),
    "head.mlp.2.bias": (HIDDEN,),
    "head.mlp.4.weight": (BOTTLENECK, HIDDEN),
    "head.mlp.4.bias": (BOTTLENECK,),
    "head.last_layer.weight_g": (K, 1),
    "head.last_layer.weight_v": (K, BOTTLENECK),
}

def network(prefix, offset):
    state = torch.nn.Module().state_dict()  # with PyTorch's `_metadata`
    for i, (name, shape) in enumerate(SHAPES.items()):
        count = int(np.prod(shape))
        state[prefix + name] = torch.sin(torch.arange(count) + i + offset).reshape(shape)
    return state

student = network("module.", 0)
optimizer = torch.optim.AdamW([torch.nn.Parameter(p) for p in student.values()])
for group in optimizer.param_groups:
    group["lr"], group["weight_decay"] = np.float64(5e-4), np.float64(0.04)
torch.save(
    {
        "student": student,
        "teacher": network("", 100),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "args": argparse.Namespace(arch="vit_tiny", local_crops_scale=(0.05, 0.4), seed=0),
        "fp16_scaler": {"scale": 65536.0},
    },
    "adasim_checkpoint.pth",
)
count = torch.arange(24.0)
torch.save(
    collections.OrderedDict(
        float64=count.double(), float32=count, float16=count.half(), bfloat16=count.bfloat16(),
        int64=count.long(), int32=count.int(), uint8=count.byte(), bool=count > 11,
        transposed=count.reshape(4, 6).T, slice=count.reshape(4, 6)[1:3, ::2],
        expanded=count[:3, None].expand(3, 2), scalar=count[5], empty=count[:0],
        parameter=torch.nn.Parameter(count[:2]),
    ),
    "dtypes.pth",
)
torch.save({"weight": count[:2]}, "legacy.pth", _use_new_zipfile_serialization=False)
"""

import pathlib

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from keras_adasim.backbones import (
    ResNet,
    SwinTransformer,
    VisionTransformer,
    load_torch_weights,
    save_torch_weights,
    torch_state,
)
from keras_adasim.layers import ProjectionHead

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
CHECKPOINT = FIXTURES / "adasim_checkpoint.pth"
IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
FEATURES = np.random.default_rng(1).normal(size=(4, 8)).astype("float32")


def backbone(**kwargs):
    sizes = {"image_size": 8, "patch_size": 4, "embed_dim": 8, "depth": 1, "num_heads": 2}
    return VisionTransformer(**{**sizes, **kwargs})


def head(use_bn=False, num_layers=3):
    head = ProjectionHead(10, 12, 6, num_layers, use_bn=use_bn, norm_last_layer=False)
    head.build((None, 8))
    return head


def values(position, shape, offset):
    """What the script put into the tensor at this place in `SHAPES`."""
    count = int(np.prod(shape))
    return np.sin(np.arange(count) + position + offset).reshape(shape)


@pytest.mark.parametrize(("key", "offset"), [("student", 0), ("teacher", 100)])
def test_official_checkpoint(key, offset):
    model, projection = backbone(), head()
    load_torch_weights(model, CHECKPOINT, key=key)
    load_torch_weights(projection, str(CHECKPOINT), key=key)
    state = torch_state(model) | torch_state(projection)
    assert len(state) == 26
    for name, position, shape in [
        ("cls_token", 0, (1, 1, 8)),
        ("patch_embed.proj.weight", 2, (8, 3, 4, 4)),
        ("blocks.0.attn.qkv.weight", 6, (24, 8)),
        ("norm.bias", 17, (8,)),
        ("mlp.4.bias", 23, (6,)),
        ("last_layer.weight_g", 24, (10, 1)),
        ("last_layer.weight_v", 25, (10, 6)),
    ]:
        np.testing.assert_allclose(state[name], values(position, shape, offset), atol=1e-5)
    kernel = np.transpose(values(6, (24, 8), offset))
    np.testing.assert_allclose(model.blocks[0].attention.qkv.kernel, kernel, atol=1e-5)


@pytest.mark.parametrize("ending", ["npz", "safetensors", "mapping"])
@pytest.mark.parametrize("prefix", ["", "backbone.", "module.backbone.", "module."])
def test_features_survive_a_round_trip(tmp_path, ending, prefix):
    model, other = backbone(), backbone()
    weights = {prefix + name: array for name, array in torch_state(model).items()}
    weights["head.last_layer.weight_g"] = np.ones((3, 1), "float32")
    load_torch_weights(other, written(weights, tmp_path, ending))
    for name, output in model(IMAGES).items():
        np.testing.assert_array_equal(other(IMAGES)[name], output)


@pytest.mark.parametrize("prefix", ["", "head.", "module.head."])
@pytest.mark.parametrize(("num_layers", "use_bn"), [(1, False), (2, True), (4, True)])
def test_logits_survive_a_round_trip(num_layers, use_bn, prefix):
    first, second = head(use_bn, num_layers), head(use_bn, num_layers)
    first(FEATURES, training=True)
    weights = {prefix + name: array for name, array in torch_state(first).items()}
    weights["module.backbone.cls_token"] = np.ones((1, 1, 8))
    if use_bn:
        weights[prefix + "mlp.1.num_batches_tracked"] = np.array(7)
    load_torch_weights(second, weights)
    np.testing.assert_array_equal(second(FEATURES), first(FEATURES))


def written(weights, folder, ending):
    """The weights as a mapping, or a path to them."""
    path = folder / f"weights.{ending}"
    if ending == "npz":
        np.savez(path, **weights)
    elif ending == "safetensors":
        arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
        safetensors.numpy.save_file(arrays, path)
    return weights if ending == "mapping" else path


def resnet():
    return ResNet(8, filters=(4, 8), num_blocks=(1, 1), bottleneck=True)


def swin():
    return SwinTransformer(16, 4, 8, depths=(2, 1), num_heads=(1, 2), window_size=2)


@pytest.mark.parametrize("build", [backbone, resnet, swin, head])
def test_a_written_file_is_read_bit_by_bit(tmp_path, build, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    model, other = build(), build()
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    save_torch_weights(model, "~/weights.safetensors")
    arrays = safetensors.numpy.load_file(tmp_path / "weights.safetensors")
    for name, array in torch_state(model).items():
        np.testing.assert_array_equal(arrays[name], array)
    load_torch_weights(other, "~/weights.safetensors")
    for weight, expected in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    with pytest.raises(ValueError, match=r"end in \.safetensors.*weights\.pth"):
        save_torch_weights(model, tmp_path / "weights.pth")


def test_bfloat16_in_safetensors(tmp_path):
    model, other = backbone(), backbone()
    weights = {k: v.astype(ml_dtypes.bfloat16) for k, v in torch_state(model).items()}
    load_torch_weights(other, written(weights, tmp_path, "safetensors"))
    for name, array in torch_state(other).items():
        np.testing.assert_array_equal(array, weights[name].astype("float32"))


def test_several_networks_need_a_key():
    with pytest.raises(ValueError, match=r"`key` to choose.*student, teacher.*key=None"):
        load_torch_weights(backbone(), CHECKPOINT)
    with pytest.raises(ValueError, match=r"`key` to name.*student, teacher.*key='optimizer'"):
        load_torch_weights(backbone(), CHECKPOINT, key="optimizer")
    with pytest.raises(ValueError, match=r"one network's arrays: leave `key` out"):
        load_torch_weights(backbone(), torch_state(backbone()), key="teacher")


def test_the_only_network_needs_no_key():
    model, other = backbone(), backbone()
    load_torch_weights(other, {"state_dict": torch_state(model), "epoch": 3})
    np.testing.assert_array_equal(other(IMAGES)["features"], model(IMAGES)["features"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.weight": np.ones(3)}, r"missing names none; unknown names fc\.weight"),
        ({"cls_token": None, "norm.bias": None}, r"missing names cls_token, norm\.bias; unknown"),
        ({"norm.bias": np.ones(9)}, r"norm\.bias: \(9,\) instead of \(8,\)\. Nothing"),
        (
            {"pos_embed": np.ones((1, 10, 8)), "blocks.0.mlp.fc1.weight": np.ones((8, 32))},
            r"pos_embed: \(1, 10, 8\) instead of \(1, 5, 8\); "
            r"blocks.0.mlp.fc1.weight: \(8, 32\) instead of \(32, 8\)",
        ),
        ({"backbone.norm.bias": np.ones(8)}, r"every name once\. Received: 'norm\.bias'"),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_is_loaded(change, message):
    model, other = backbone(), backbone()
    weights = {k: v for k, v in (torch_state(other) | change).items() if v is not None}
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        load_torch_weights(model, weights)
    for array, weight in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(array, weight)


def test_a_backbone_is_unknown_to_a_head():
    with pytest.raises(ValueError, match=r"unknown names.*cls_token"):
        load_torch_weights(head(), torch_state(head()) | torch_state(backbone()))


def test_model_must_be_built_and_known():
    with pytest.raises(ValueError, match=r"a built `model`"):
        load_torch_weights(ProjectionHead(10), {})
    with pytest.raises(ValueError, match=r"`torch_names`. Received: dict"):
        load_torch_weights({}, {})
    with pytest.raises(ValueError, match=r"`weights` to be a path.*NoneType"):
        load_torch_weights(backbone(), None)
