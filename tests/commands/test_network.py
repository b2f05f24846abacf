"""Backbones that look at images of several sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import backbones
from keras_adasim.backbones.stored_backbone import store_backbone
from keras_adasim.commands import backbone as commands_backbone
from keras_adasim.commands.network import Network, load_network
from keras_adasim.export.metadata import Metadata
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from tests.commands.folders import patch_colors
from tests.pretraining.runs import one_block

IMAGES = tf.constant(np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), np.uint8))
GIVEN = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}


@pytest.fixture(scope="module")
def transformer():
    """A Vision Transformer of one block, for images of 16 pixels, with a mean of its own."""
    keras.utils.set_random_seed(0)
    return backbones.VisionTransformer(16, 8, embed_dim=12, depth=1, num_heads=2)


def test_tokens_are_a_grid_of_any_size(transformer):
    network = Network(transformer, 16, **GIVEN)
    assert (network.patch_side, network.fixed_size, network.channels) == (8, None, 3)
    normalized = (np.float32(IMAGES) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    expected = transformer(normalized)
    found = network.look(IMAGES)
    np.testing.assert_allclose(found["features"], expected["features"], atol=1e-5)
    tokens = np.reshape(expected["tokens"], (2, 2, 3, 12))
    np.testing.assert_allclose(found["tokens"], tokens, atol=1e-5)
    assert network.look(IMAGES[:1, :8, :8])["tokens"].shape == (1, 1, 1, 12)
    network.check_sides(24, 8)
    assert (network.default_size(512), network.rounded(1)) == (40, 8)


@pytest.mark.parametrize(
    ("size", "sides", "message"),
    [
        (None, (6, 8), "multiple of 4, the side of the backbone's patches. Received: image_size=6"),
        (None, (8, 6), "image_size=8, images of 8 x 6 pixels"),
        (8, (16, 16), "`image_size` to be 8, the only size that the backbone takes"),
        (8, (8, 16), "to be 8, the only size"),
    ],
)
def test_sizes_that_a_backbone_cannot_take_are_refused(size, sides, message):
    network = patch_colors(size=size)
    with pytest.raises(ValueError, match=r"^Expected `image_size`") as error:
        network.check_sides(*sides)
    assert message in str(error.value)
    network.check_sides(8, 8)
    assert network.default_size(480) == (8 if size else 16)


def test_a_size_at_which_it_fails_is_refused():
    images = keras.Input((None, None, 3))
    maps = keras.layers.AveragePooling2D(4)(images)
    tokens = keras.layers.Reshape((4, 3))(maps)
    features = keras.layers.GlobalAveragePooling1D()(tokens)
    network = Network(keras.Model(images, {"features": features, "tokens": tokens}), 8, **GIVEN)
    network.check_sides(8, 8)
    with pytest.raises(ValueError, match=r"that the backbone takes. Received: image_size=12, at"):
        network.check_sides(12, 12)


def test_no_tokens_or_no_grid():
    images = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(images)
    tokens = keras.layers.Reshape((-1, 3))(keras.layers.AveragePooling2D((4, 8))(images))
    for outputs in ({"features": features}, {"features": features, "tokens": tokens}):
        network = Network(keras.Model(images, outputs), 8, **GIVEN)
        network.check_sides(7, 5)
        assert set(network.look(IMAGES)) == {"features"}
        with pytest.raises(ValueError, match="`backbone` to give patch tokens"):
            network.check_tokens()


def write_export(transformer, folder, mean, std):
    """What an export holds that is read here, without its SavedModel, which takes long."""
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    assert store_backbone(transformer, folder) is None
    Metadata(16, 3, 12, mean, std, 1, (), ()).write(folder)


def test_presets_and_exports_are_the_networks_themselves(transformer, tmp_path):
    half = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    write_export(transformer, tmp_path / "x" / "saved_model", **half)
    network = load_network(tmp_path / "x")
    assert (network.image_size, network.folder) == (16, tmp_path / "x")
    assert (network.mean, network.std) == tuple(half.values())
    expected = Network(transformer, 16, **half).look(IMAGES)
    for name, each in network.look(IMAGES).items():
        np.testing.assert_allclose(each, expected[name], atol=1e-5)
    again = load_network(tmp_path / "x" / "saved_model")
    assert again.fingerprint == network.fingerprint
    assert again.folder == tmp_path / "x" / "saved_model"
    with one_block():
        preset = load_network("vit_mini")
    assert (preset.mean, preset.folder) == (IMAGENET_MEAN, None)
    assert preset.fingerprint != network.fingerprint


def test_what_is_none_is_refused_as_by_the_other_commands(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "saved_model.pb").write_bytes(b"")
    for name in ("", "nowhere", "other"):
        for load in (load_network, commands_backbone.load_embedder):
            with pytest.raises((ValueError, OSError), match=str(tmp_path / name)):
                load(tmp_path / name)
