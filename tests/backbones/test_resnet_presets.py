import numpy as np
import pytest

from keras_adasim.backbones import resnet18_cifar, resnet50


@pytest.fixture(scope="module")
def presets():
    return {preset: preset() for preset in (resnet18_cifar, resnet50)}


def parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.large
@pytest.mark.parametrize(
    ("preset", "width", "image_size", "count"),
    # torchvision's, less the classifier's; lightly's `ResNetGenerator("resnet-18")`, likewise.
    [(resnet50, 2048, 224, 25_557_032 - 2_049_000), (resnet18_cifar, 512, 32, 11_168_832)],
)
def test_sizes_are_the_published_ones(presets, preset, width, image_size, count):
    model = presets[preset]
    assert (model.feature_dim, model.image_size, model.name) == (width, image_size, preset.__name__)
    assert parameters(model) == count


def test_stems(presets):
    images = np.zeros((1, 64, 64, 3), "float32")
    assert presets[resnet50](images)["tokens"].shape == (1, 4, 2048)
    assert presets[resnet18_cifar](images)["tokens"].shape == (1, 64, 512)


def test_names_are_torchvisions(presets):
    names = presets[resnet50].torch_names()
    assert names["layer1.0.downsample.0.weight"][0].shape == (1, 1, 64, 256)
    assert names["layer4.2.conv3.weight"][0].shape == (1, 1, 512, 2048)
    assert names["layer3.5.bn2.running_mean"][0].shape == (256,)
    assert "layer1.1.downsample.0.weight" not in names
    assert len(names) == 265  # 320 tensors, less 53 counters and the classifier.


def test_arguments_reach_the_model():
    model = resnet18_cifar(64, channels=13, zero_init_residual=True, name="mine")
    assert (model.image_size, model.name) == (64, "mine")
    assert model.zero_init_residual
    assert model.input_shape == (None, None, None, 13)
    with pytest.raises(TypeError, match="patch_size"):
        resnet50(patch_size=16)
