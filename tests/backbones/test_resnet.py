"""The fixtures were written by PyTorch 2.13 and torchvision 0.28 with this script.

import numpy as np, torch
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

class Tiny(ResNet):
    # torchvision's, with stages of 4, 6 and 8 channels, and the stem that is asked for.
    def __init__(self, block, cifar):
        super().__init__(block, [1, 1, 1, 1])
        self.inplanes = 4
        self.conv1 = torch.nn.Conv2d(3, 4, 7, 2, 3, bias=False)
        if cifar:
            self.conv1 = torch.nn.Conv2d(3, 4, 3, 1, 1, bias=False)
            self.maxpool = torch.nn.Identity()
        self.bn1 = torch.nn.BatchNorm2d(4)
        self.layer1 = self._make_layer(block, 4, 2)
        self.layer2 = self._make_layer(block, 6, 1, stride=2)
        self.layer3 = self._make_layer(block, 8, 2, stride=2)
        self.layer4 = torch.nn.Identity()
        self.fc = torch.nn.Identity()

for name, block, cifar in (("bottleneck", Bottleneck, False), ("basic", BasicBlock, True)):
    torch.manual_seed(0)
    model = Tiny(block, cifar)
    for weight in model.parameters():
        weight.data += 0.2 * torch.randn(weight.shape)
    for _ in range(5):  # Moves the statistics.
        model(torch.randn(8, 3, 33, 33) + 0.5)
    model.eval()
    arrays = {f"state/{key}": tensor.numpy() for key, tensor in model.state_dict().items()}
    arrays |= {"state/fc.weight": np.ones((2, 2)), "state/fc.bias": np.ones(2)}
    for height, width in ((24, 24), (29, 19)):
        images = torch.randn(2, 3, height, width)
        maps = []
        model.avgpool.register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0]))
        with torch.no_grad():
            features = model(images)
        tokens = maps[-1].flatten(2).transpose(1, 2)
        arrays |= {f"{height}x{width}/images": images.numpy(),
                   f"{height}x{width}/features": features.numpy(),
                   f"{height}x{width}/tokens": tokens.numpy()}
    np.savez_compressed(f"resnet_{name}.npz", **arrays)
"""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.backbones import ResNet, load_torch_weights, torch_state
from keras_adasim.backbones.sublayers import sublayers
from tests.backbones.backbone_contract import run_backbone_test

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
CASES = {"bottleneck": {"bottleneck": True}, "basic": {"stem": "cifar"}}


def golden(case):
    """The model of a fixture, without its weights, and the fixture's arrays."""
    with np.load(FIXTURES / f"resnet_{case}.npz") as arrays:
        return ResNet(24, (4, 6, 8), (2, 1, 2), **CASES[case]), dict(arrays)


def part(arrays, prefix):
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def images(height=16, width=16, channels=3):
    shape = (3, height, width, channels)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def other(stem, dtype):
    """No argument at its default, but the branches don't start at zero, so that they learn."""
    model = ResNet(
        18,
        [4, 6],
        [1, 2],
        bottleneck=stem == "imagenet",
        stem=stem,
        zero_init_residual=True,
        channels=13,
        dtype=dtype,
        name="other",
    )
    for block in (block for stage in model.stages for block in stage):
        block.batch_norms[-1].gamma.assign(np.ones(block.output_filters))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
def test_contract(tmp_path, stem):
    run_backbone_test(
        lambda dtype: other(stem, dtype),
        image_sizes=[(16, 16), (17, 10)],
        num_tokens=[4, 6] if stem == "imagenet" else [64, 45],
        tmp_path=tmp_path,
        channels=13,
    )


@pytest.mark.parametrize("prefix", ["", "module.backbone."])
@pytest.mark.parametrize("case", CASES)
def test_equals_torchvision(case, prefix):
    model, arrays = golden(case)
    weights = {prefix + name: array for name, array in part(arrays, "state/").items()}
    weights |= {"head.mlp.0.weight": np.ones(3), "head_dense.mlp.0.weight": np.ones(3)}
    if prefix:
        weights = {k: v for k, v in weights.items() if ".fc." not in k}
    load_torch_weights(model, weights)
    for size in ("24x24", "29x19"):
        outputs = model(np.transpose(arrays[f"{size}/images"], (0, 2, 3, 1)))
        for name in ("features", "tokens"):
            np.testing.assert_allclose(outputs[name], arrays[f"{size}/{name}"], atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_names_come_back(case):
    model, arrays = golden(case)
    state = part(arrays, "state/")
    load_torch_weights(model, state)
    counters = {name for name in state if name.endswith("num_batches_tracked")}
    back = torch_state(model)
    assert back.keys() == state.keys() - counters - {"fc.weight", "fc.bias"}
    for name, array in back.items():
        np.testing.assert_array_equal(array, state[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer2.0.downsample.1.running_var": None}, r"missing names layer2\.0\.downsample\.1\."),
        ({"layer4.0.conv1.weight": np.ones(3)}, r"unknown names layer4\.0\.conv1\.weight"),
        ({"conv1.weight": np.ones((4, 3, 7, 7))}, r"conv1\.weight: \(4, 3, 7, 7\) instead of"),
    ],
)
def test_other_checkpoints_are_refused_with_their_names(change, message):
    model, arrays = golden("basic")
    weights = {k: v for k, v in (part(arrays, "state/") | change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        load_torch_weights(model, weights)


def test_graph_of_unknown_size():
    model = ResNet(16, (4, 6), (1, 1))
    graph = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 3))])
    for size in ((16, 16), (21, 10)):
        outputs = graph(images(*size))
        for name, expected in model(images(*size)).items():
            np.testing.assert_allclose(outputs[name], expected, atol=1e-5)


def test_features_are_the_mean_of_the_tokens():
    outputs = ResNet(16, (4, 6), (1, 1), stem="cifar")(images())
    mean = np.mean(outputs["tokens"], axis=1)
    np.testing.assert_allclose(outputs["features"], mean, atol=1e-6)


def test_zero_init_residual_starts_every_block_as_its_shortcut():
    gammas = [
        [np.any(block.batch_norms[-1].gamma) for stage in model.stages for block in stage]
        for model in (
            ResNet(16, (4, 6), (2, 1), zero_init_residual=True),
            ResNet(16, (4, 6), (2, 1)),
        )
    ]
    assert gammas == [[False] * 3, [True] * 3]


def test_batch_norm_moves_like_pytorchs_and_is_synchronized():
    model = ResNet(16, (4,), (1,))
    norms = [
        layer for layer in sublayers(model) if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) == 3
    assert {(norm.momentum, norm.epsilon, norm.synchronized) for norm in norms} == {
        (0.9, 1e-5, True)
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 0}, "`image_size` to be a positive integer. Received: image_size=0"),
        ({"filters": (4, 6.5)}, "`filters` to be a positive integer. Received: filters=6.5"),
        ({"num_blocks": (1, 1, 1)}, r"one entry for every stage.*num_blocks=\(1, 1, 1\)"),
        ({"stem": "mnist"}, "`stem` to be one of.*Received: stem='mnist'"),
        ({"channels": -1}, "`channels` to be a positive integer"),
    ],
)
def test_refuses_arguments_that_do_not_fit(arguments, message):
    defaults = {"image_size": 16, "filters": (4, 6), "num_blocks": (1, 1)}
    with pytest.raises(ValueError, match=message):
        ResNet(**{**defaults, **arguments})


def test_images_have_their_channels_last_whatever_keras_is_set_to(request):
    """A set of `channels_first` ended in a `TypeError` of an operation."""
    images = np.random.default_rng(0).random((2, 16, 16, 3), "float32")

    def outputs():
        keras.utils.set_random_seed(0)
        return ResNet(16, [4, 6], [1, 1], bottleneck=True)(images)

    expected = outputs()
    request.addfinalizer(lambda: keras.config.set_image_data_format("channels_last"))
    keras.config.set_image_data_format("channels_first")
    for name, value in outputs().items():
        np.testing.assert_array_equal(value, expected[name])
