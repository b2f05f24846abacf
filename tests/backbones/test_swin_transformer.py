"""The fixture was written by PyTorch 2.13 and EsViT's code (b3c892f) with this script.

from functools import partial
import numpy as np, torch
from models.swin_transformer import SwinTransformer

torch.manual_seed(0)
model = SwinTransformer(
    img_size=24, patch_size=2, embed_dim=6, depths=[2, 2, 1], num_heads=[1, 2, 2], window_size=5,
    mlp_ratio=2.0, num_classes=5, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
).eval()
for name, weight in model.named_parameters():
    weight.data += 0.2 * torch.randn(weight.shape)
arrays = {f"state/{name}": tensor.numpy() for name, tensor in model.state_dict().items()}
for size in (24, 14, 6):
    images = torch.randn(2, 3, size, size)
    with torch.no_grad():
        features, tokens = model.forward_feature_maps(images)
    arrays |= {f"{size}/images": images.numpy(), f"{size}/features": features.numpy(),
               f"{size}/tokens": tokens.numpy()}
np.savez_compressed("swin.npz", **arrays)
"""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.backbones import SwinTransformer, load_torch_weights, torch_state
from keras_adasim.layers import ProjectionHead
from tests.backbones.backbone_contract import run_backbone_test

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "swin.npz"


@pytest.fixture(scope="module")
def arrays():
    with np.load(FIXTURE) as file:
        return dict(file)


def golden_model(**kwargs):
    return SwinTransformer(24, 2, 6, (2, 2, 1), (1, 2, 2), window_size=5, mlp_ratio=2, **kwargs)


def part(arrays, prefix):
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def small(dtype="float32", **kwargs):
    arguments = {"depths": [2, 1], "num_heads": [2, 4], "window_size": 4, **kwargs}
    return SwinTransformer(20, 2, 8, mlp_ratio=3, channels=13, dtype=dtype, **arguments)


def images(height, width, channels=13):
    shape = (3, height, width, channels)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.slow
def test_contract(tmp_path):
    run_backbone_test(
        lambda dtype: small(dtype, drop_path_rate=0.1, name="other"),
        image_sizes=[(20, 20), (14, 24)],
        num_tokens=[25, 24],
        tmp_path=tmp_path,
        channels=13,
    )


# Maps of 12, 7 and 3 tokens: windows that fit, with padding, and larger than the map.
@pytest.mark.parametrize("size", [24, 14, 6])
def test_equals_official_code(arrays, size):
    model = golden_model(drop_path_rate=0.1)
    load_torch_weights(model, part(arrays, "state/"))
    outputs = model(np.transpose(arrays[f"{size}/images"], (0, 2, 3, 1)))
    for name in ("features", "tokens"):
        np.testing.assert_allclose(outputs[name], arrays[f"{size}/{name}"], atol=2e-5)


@pytest.mark.slow
def test_graph_of_unknown_size_equals_official_code(arrays):
    model = golden_model()
    load_torch_weights(model, part(arrays, "state/"))
    graph = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3))])
    for size in (24, 14, 6):
        outputs = graph(np.transpose(arrays[f"{size}/images"], (0, 2, 3, 1)))
        np.testing.assert_allclose(outputs["tokens"], arrays[f"{size}/tokens"], atol=2e-5)


def test_names_come_back(arrays):
    state, model = part(arrays, "state/"), golden_model()
    load_torch_weights(model, state)
    back = torch_state(model)
    buffers = {name for name in state if name.endswith("relative_position_index")}
    assert len(buffers) == 5
    assert back.keys() == state.keys() - buffers - {"head.weight", "head.bias"}
    for name, array in back.items():
        np.testing.assert_array_equal(array, state[name])


def head_state(offset):
    head = ProjectionHead(10, 12, 6)
    head.build((None, 24))
    for weight in head.weights:
        weight.assign(weight + offset)
    return torch_state(head)


def test_checkpoint_of_esvit_with_both_heads(arrays):
    # EsViT keeps its heads inside of the backbone: none of the backbone's names has a prefix.
    student = {f"module.{k}": v for k, v in part(arrays, "state/").items() if "head" not in k}
    states = {"head": head_state(0.0), "head_dense": head_state(1.0)}
    for name, state in states.items():
        student |= {f"module.{name}.{key}": array for key, array in state.items()}
    checkpoint = {"student": student, "epoch": 3}
    model = golden_model()
    load_torch_weights(model, checkpoint)
    for name, state in states.items():
        head = ProjectionHead(10, 12, 6)
        head.build((None, 24))
        load_torch_weights(head, checkpoint, part=name)
        for key, array in torch_state(head).items():
            np.testing.assert_array_equal(array, state[key])
    del student["module.head_dense.mlp.0.bias"]
    with pytest.raises(ValueError, match=r"missing names mlp\.0\.bias; unknown names none"):
        load_torch_weights(head, checkpoint, part="head_dense")
    with pytest.raises(ValueError, match=r"`part` to be one of backbone, head, head_dense.*neck"):
        load_torch_weights(head, checkpoint, part="neck")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.0.downsample.reduction.weight": None}, r"missing names layers\.0\.downsample"),
        ({"layers.2.blocks.1.norm1.weight": np.ones(24)}, r"unknown names layers\.2\.blocks\.1"),
        (
            {"layers.2.blocks.0.attn.relative_position_bias_table": np.ones((81, 2))},
            r"relative_position_bias_table: \(81, 2\) instead of \(25, 2\)",
        ),
    ],
)
def test_other_checkpoints_are_refused_with_their_names(arrays, change, message):
    weights = {k: v for k, v in (part(arrays, "state/") | change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        load_torch_weights(golden_model(), weights)


def test_windows_are_at_most_as_large_as_the_map():
    model = small(depths=[2, 3], num_heads=[2, 2], window_size=5)
    windows = [[(b.window_size, b.shift) for b in blocks] for blocks in model.stages]
    assert windows == [[(5, 0), (5, 2)], [(5, 0)] * 3]


def test_features_are_the_mean_of_the_tokens():
    outputs = small()(images(20, 16))
    mean = np.mean(outputs["tokens"], axis=1)
    np.testing.assert_allclose(outputs["features"], mean, atol=1e-6)


def test_drop_path_grows_with_depth_and_acts_in_training_only():
    model = small(drop_path_rate=0.6, depths=[2, 2])
    rates = [block.drop_path.rate for blocks in model.stages for block in blocks]
    assert rates == pytest.approx([0.0, 0.2, 0.4, 0.6])
    calm = model(images(20, 20), training=False)["features"]
    assert np.any(model(images(20, 20), training=True)["features"] != calm)


@pytest.mark.large
def test_trains_compiled_on_two_replicas(two_replicas):
    with two_replicas.scope():
        model = SwinTransformer(16, 2, 8, (2,), (2,), window_size=3, drop_path_rate=0.5)

    @tf.function(jit_compile=True)
    def gradients(crops):
        with tf.GradientTape() as tape:
            tokens = model(crops, training=True)["tokens"]
            loss = tf.reduce_mean(tokens * tf.range(8.0))
        return tape.gradient(loss, [w.value for w in model.trainable_weights])

    crops = tf.ones((2, 14, 14, 3))
    step = tf.function(lambda: two_replicas.run(lambda: gradients(crops)), autograph=False)
    assert all(np.all(np.isfinite(copy)) for g in step() for copy in g.values)


def test_starts_like_esvit():
    model = SwinTransformer(16, 2, 64, (1, 1), (2, 2), window_size=8)
    block = model.stages[0][0]
    for variable in (
        block.attention.position_bias,
        block.attention.attention.qkv.kernel,
        block.mlp_hidden.kernel,
        model.mergings[0].reduction.kernel,
    ):
        assert np.std(variable) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 15}, "`image_size` to be a multiple of patch_size=2.*image_size=15"),
        ({"image_size": 2}, "at least 4, so that every stage has a map. Received: image_size=2"),
        ({"depths": (2, 2, 2)}, r"one entry for every stage.*depths=\(2, 2, 2\)"),
        ({"num_heads": (2, 3)}, "`num_heads` to divide.*3 heads for 16 in stage 1"),
        ({"window_size": 0}, "`window_size` to be a positive integer. Received: window_size=0"),
    ],
)
def test_refuses_arguments_that_do_not_fit(arguments, message):
    defaults = {
        "image_size": 16,
        "patch_size": 2,
        "embed_dim": 8,
        "depths": (1, 1),
        "num_heads": (2, 2),
        "window_size": 4,
    }
    with pytest.raises(ValueError, match=message):
        SwinTransformer(**{**defaults, **arguments})


def test_refuses_images_that_the_patch_does_not_divide():
    with pytest.raises(ValueError, match="multiples of patch_size=2"):
        small()(images(20, 21))
