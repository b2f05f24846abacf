import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import backbones
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.export import (
    DeviationError,
    export_backbone,
    load_backbone,
    preprocess,
    saved_model,
)
from keras_adasim.export.folder import written_whole
from keras_adasim.export.metadata import Metadata
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from tests.export.backbones import MEAN, STD, convolutional, tiny, transformer

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def exported(exports):
    """The two backbones and their exports, read by plain TensorFlow."""
    models, folders = exports
    loaded = {name: tf.saved_model.load(folder) for name, folder in folders.items()}
    for name, folder in folders.items():
        loaded[name].folder = folder
    return models, loaded


@pytest.fixture(scope="module")
def in_training(exported):
    """The same, where statistics may move: the transformer has none."""
    loaded = exported[1]
    return {**loaded, "convolutional": tf.saved_model.load(loaded["convolutional"].folder)}


@pytest.mark.parametrize("name", ["convolutional", "transformer"])
class TestBothBackbones:
    def test_outputs_are_those_of_the_backbone(self, exported, name):
        model, loaded = exported[0][name], exported[1][name]
        expected = model(preprocess(tf.constant(IMAGES), 16, MEAN, STD))
        outputs = loaded.serve(IMAGES)
        assert set(outputs) == {"features", "tokens"}
        for key, value in outputs.items():
            np.testing.assert_allclose(value, expected[key], atol=1e-5)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_floats_are_accepted_too(self, exported, name, dtype):
        features = exported[1][name].serve((IMAGES / 255.0).astype(dtype))["features"]
        assert features.dtype == tf.float32
        expected = exported[1][name].serve(IMAGES)["features"]
        np.testing.assert_allclose(features, expected, atol=1e-5)

    @pytest.mark.parametrize("shape", [(1, 16, 16, 3), (5, 40, 23, 3), (2, 9, 9, 3)])
    def test_any_batch_and_image_size(self, exported, name, shape):
        images = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
        model, loaded = exported[0][name], exported[1][name]
        expected = model(preprocess(tf.constant(images), 16, MEAN, STD))["features"]
        np.testing.assert_allclose(loaded.serve(images)["features"], expected, atol=1e-5)

    def test_default_signature_takes_uint8(self, exported, name):
        signature = exported[1][name].signatures["serving_default"]
        assert signature.structured_input_signature[1]["images"].dtype == tf.uint8
        outputs = signature(images=tf.constant(IMAGES))
        expected = exported[1][name].serve(IMAGES)
        np.testing.assert_array_equal(outputs["features"], expected["features"])

    def test_metadata(self, exported, name):
        model, loaded = exported[0][name], exported[1][name]
        metadata = Metadata.read(loaded.folder)
        assert metadata.image_size == 16
        assert metadata.channels == 3
        assert metadata.feature_dim == loaded.serve(IMAGES)["features"].shape[1]
        assert metadata.mean == list(MEAN)
        assert metadata.std == list(STD)
        assert metadata.trainable_variables == [v.path for v in model.trainable_variables]
        for key, count in (("trainable", len(model.trainable_variables)), ("non_trainable", None)):
            names = getattr(metadata, f"{key}_variables")
            assert len(getattr(loaded, f"{key}_variables")) == (count or len(names))

    def test_every_trainable_variable_gets_a_gradient(self, in_training, name):
        loaded = in_training[name]
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(loaded.train(IMAGES / 255.0)["features"] ** 2)
        gradients = tape.gradient(loss, loaded.trainable_variables)
        assert all(gradient is not None for gradient in gradients)


def test_training_endpoint_drops_and_serving_does_not(exported, in_training):
    """Also that of a teacher, whose own drop path is switched off, and stays so."""
    for loaded in in_training.values():
        first, second = (loaded.train(IMAGES)["features"] for _ in range(2))
        assert np.abs(first - second).max() > 1e-3
        first, second = (loaded.serve(IMAGES)["features"] for _ in range(2))
        np.testing.assert_array_equal(first, second)
    rates = [
        layer.rate for layer in sublayers(exported[0]["transformer"]) if hasattr(layer, "rate")
    ]
    assert rates
    assert not any(rates)


def test_batch_statistics_move_in_training_only(in_training):
    loaded = in_training["convolutional"]
    statistics = loaded.non_trainable_variables[0]
    before = statistics.numpy()
    loaded.serve(IMAGES)
    np.testing.assert_array_equal(statistics, before)
    loaded.train(IMAGES)
    assert np.abs(statistics - before).max() > 1e-4


def test_intermediate_class_tokens(exported):
    model, loaded = exported[0]["transformer"], exported[1]["transformer"]
    expected = model.intermediate_class_tokens(preprocess(tf.constant(IMAGES), 16, MEAN, STD), 2)
    tokens = loaded.intermediate(IMAGES)["class_tokens"]
    np.testing.assert_allclose(tokens, np.stack(expected, 1), atol=1e-5)
    np.testing.assert_allclose(tokens[:, -1], loaded.serve(IMAGES)["features"], atol=1e-5)
    assert not hasattr(exported[1]["convolutional"], "intermediate")


def test_attention_of_the_last_block(exported):
    model, loaded = exported[0]["transformer"], exported[1]["transformer"]
    expected = model.last_self_attention(preprocess(tf.constant(IMAGES), 16, MEAN, STD))
    attention = loaded.attention(IMAGES)["attention"]
    assert attention.shape == (5, 2, 5, 5)
    np.testing.assert_allclose(attention, expected, atol=1e-5)
    np.testing.assert_allclose(tf.reduce_sum(attention, axis=-1), np.ones((5, 2, 5)), atol=1e-5)
    assert Metadata.read(loaded.folder).attention
    assert not hasattr(exported[1]["convolutional"], "attention")


def test_floats_above_one_are_an_error(exported):
    """Features of floats from 0 to 255 were off by .9 without a word."""
    for loaded in exported[1].values():
        for wrong in (IMAGES.astype("float32"), np.full((1, 4, 4, 3), np.nan, np.float32)):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"floats \(0 to 1\)"):
                loaded.serve(wrong)


@pytest.mark.slow
def test_an_export_that_is_off_replaces_nothing(taken, tmp_path, monkeypatch, bytes_alone):
    (taken / "precious").write_text("x")
    monkeypatch.setattr(saved_model, "LIMIT", -1.0)
    monkeypatch.setattr("keras_adasim.export.deviation.ROUNDINGS", -1)
    with pytest.raises(DeviationError, match="SavedModel"):
        export_backbone(tiny(), taken, 16, overwrite=True)
    assert (taken / "precious").exists()
    assert os.listdir(tmp_path) == ["taken"]


class Archive:
    """Keeps what it is given instead of tracing and writing it."""

    endpoints = {}

    def track(self, backbone):
        pass

    def add_endpoint(self, name, endpoint):
        self.endpoints[name] = endpoint

    def write_out(self, folder, verbose):
        pathlib.Path(folder, "saved_model.pb").touch()


def test_number_of_blocks(exports, tmp_path, bytes_alone, monkeypatch):
    # The default of four blocks used to fail for a depth of two.
    assert exports[0]["transformer"].depth == 2
    assert Metadata.read(exports[1]["transformer"]).last_blocks == 2
    with pytest.raises(ValueError, match=r"between 1 and depth=1.*Received: n=2"):
        export_backbone(transformer(depth=1), tmp_path / "other", 16, last_blocks=2)
    monkeypatch.setattr(keras.export, "ExportArchive", Archive)
    monkeypatch.setattr(saved_model, "_trace", lambda *_: {"serve": {"features": np.zeros(12)}})
    monkeypatch.setattr(saved_model, "_check", lambda *_: 0.0)
    export_backbone(exports[0]["transformer"], tmp_path / "one", 16, last_blocks=1)
    assert Metadata.read(tmp_path / "one").last_blocks == 1
    tokens = Archive.endpoints["intermediate"](tf.constant(IMAGES))["class_tokens"]
    assert tokens.shape == (5, 1, 12)


@pytest.fixture(scope="module")
def synchronized(tmp_path_factory, two_replicas):
    """A replicated backbone with frozen and synchronized layers, exported, and the folder."""
    with two_replicas.scope():
        model = convolutional(synchronized=True)
    model.trainable = False
    model.layers[1].trainable = True
    path = tmp_path_factory.mktemp("synchronized") / "cnn"
    export_backbone(model, path, 16)
    return model, path


def test_frozen_and_synchronized_layers_are_ready_for_training_and_left_as_they_were(synchronized):
    model, path = synchronized
    assert [layer.trainable for layer in model.layers] == [False, True, False, False, False] + [
        False
    ] * (len(model.layers) - 5)
    assert model.layers[2].synchronized
    loaded = tf.saved_model.load(path)
    expected = model(preprocess(tf.constant(IMAGES), 16, IMAGENET_MEAN, IMAGENET_STD))["features"]
    np.testing.assert_allclose(loaded.serve(IMAGES)["features"], expected, atol=1e-5)
    assert len(loaded.trainable_variables) == 3
    before = loaded.non_trainable_variables[0].numpy()
    loaded.train(IMAGES)
    assert np.abs(loaded.non_trainable_variables[0] - before).max() > 1e-4


@pytest.mark.slow
def test_taken_path_is_replaced_only_on_request_and_as_a_whole(
    taken, tmp_path, monkeypatch, bytes_alone
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (taken / "precious").write_text("x")
    with pytest.raises(FileExistsError, match=r"taken.*overwrite=True"):
        export_backbone(tiny(), taken, 16)

    def fail(self, folder):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Metadata, "write", fail)
        with pytest.raises(OSError, match="disk full"):
            export_backbone(tiny(), taken, 16, overwrite=True)
    assert (taken / "precious").exists()
    assert os.listdir(tmp_path) == ["taken"]
    export_backbone(tiny(), "~/taken", 16, overwrite=True)
    assert not (taken / "precious").exists()
    assert os.listdir(tmp_path) == ["taken"]
    assert Metadata.read("~/taken").feature_dim == 3
    assert load_backbone("~/taken")(IMAGES)["features"].shape == (5, 3)


def test_what_is_no_export_is_never_replaced(tmp_path):
    """With `overwrite=True` any folder at the path used to be deleted."""
    path = tmp_path / "thesis"
    path.mkdir()
    (path / "chapter1.tex").write_text("x")
    with pytest.raises(FileExistsError, match=r"thesis.*holds no saved_model\.pb.*another path"):
        export_backbone(tiny(), path, 16, overwrite=True)
    with pytest.raises(FileExistsError, match=r"chapter1\.tex"):
        export_backbone(tiny(), path / "chapter1.tex", 16, overwrite=True)
    assert os.listdir(path) == ["chapter1.tex"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 0}, r"`image_size` to be a positive integer.*image_size=0"),
        ({"image_size": (16, 16)}, r"`image_size` to be a positive integer.*\(16, 16\)"),
        ({"last_blocks": 0}, r"`last_blocks` to be a positive integer.*last_blocks=0"),
        ({"mean": [0.5]}, r"one number for each of the 3 channels.*mean=\[0.5\]"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        export_backbone(convolutional(), tmp_path / "x", **{"image_size": 16, **arguments})


def test_models_that_are_no_backbones(tmp_path):
    with pytest.raises(ValueError, match=r"keras.Model.*model=<Dense.*model\.export"):
        export_backbone(keras.layers.Dense(1), tmp_path / "x", 16)
    images = keras.Input((8, 8, 3))
    plain = keras.Model(images, keras.layers.Flatten()(images))
    with pytest.raises(ValueError, match=r"`features`.*backbones\.adapt"):
        export_backbone(plain, tmp_path / "x", 16)


def test_a_gray_backbone_without_tokens_and_with_a_normalization_of_its_own(tmp_path, bytes_alone):
    """Adapted models that pool their maps themselves couldn't be exported."""
    images = keras.Input((16, 16, 1))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(images))
    backbone = backbones.adapt(keras.Model(images, features), mean=[0.5], std=[0.25])
    export_backbone(backbone, tmp_path / "pooled", 16)
    metadata = Metadata.read(tmp_path / "pooled")
    assert (metadata.mean, metadata.std, metadata.channels) == ([0.5], [0.25], 1)
    outputs = load_backbone(tmp_path / "pooled")(IMAGES[..., :1])
    assert set(outputs) == {"features"}
    expected = backbone(preprocess(tf.constant(IMAGES[..., :1]), 16, [0.5], [0.25]))
    np.testing.assert_allclose(outputs["features"], expected["features"], atol=1e-5)


class Twice(keras.layers.Layer):
    """A layer that isn't registered with Keras."""

    def call(self, x):
        return 2.0 * x


def test_a_layer_that_is_not_registered(tmp_path, bytes_alone):
    """Such a backbone could be trained and then not be exported."""
    images = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(Twice()(keras.layers.Conv2D(8, 3)(images)))
    backbone = keras.Model(images, {"features": features})
    export_backbone(backbone, tmp_path / "own", 16, MEAN, STD)
    loaded = load_backbone(tmp_path / "own")
    expected = backbone(preprocess(tf.constant(IMAGES), 16, MEAN, STD))["features"]
    np.testing.assert_allclose(loaded(IMAGES)["features"], expected, atol=1e-5)
    assert loaded.metadata.not_stored_because == "Could not locate class 'Twice'"
    with pytest.raises(ValueError, match=r"can't be rebuilt \(Could not locate class 'Twice'"):
        backbones.get(tmp_path / "own")


def test_training_goes_on_from_an_export(exported):
    """The backbone itself is beside the SavedModel: trainable, synchronized, with drop path."""
    for name, model in exported[0].items():
        folder = exported[1][name].folder
        assert Metadata.read(folder).not_stored_because is None
        backbone = backbones.get(folder)
        images = preprocess(tf.constant(IMAGES), 16, MEAN, STD)
        np.testing.assert_array_equal(backbone(images)["features"], model(images)["features"])
        assert type(backbone) is type(model)
        assert len(backbone.trainable_weights) == len(model.trainable_weights)
        student = {"convolutional": convolutional, "transformer": transformer}[name]()
        assert [getattr(layer, "rate", None) for layer in sublayers(backbone)] == [
            getattr(layer, "rate", None) for layer in sublayers(student)
        ]


def test_synchronized_layers_stay_so_where_training_goes_on(synchronized):
    layers = sublayers(backbones.get(synchronized[1]))
    assert [layer.synchronized for layer in layers if hasattr(layer, "synchronized")] == [True]


def test_what_killed_exports_left_is_removed(tmp_path):
    """It stayed for ever; that of a process that lives is left alone."""
    for name in (".x.4000000.new", ".x.4000000.old", f".x.{os.getppid()}.new", ".x.1.other"):
        (tmp_path / name).mkdir()
    with written_whole(tmp_path / "x"):
        pass
    left = {folder.name for folder in tmp_path.iterdir()}
    assert left == {"x", f".x.{os.getppid()}.new", ".x.1.other"}
