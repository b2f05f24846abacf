import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.commands import backbone as backbone_command
from keras_adasim.export import ExportedBackbone, load_backbone
from tests.export.backbones import MEAN, STD

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (16, 20, 18, 3), np.uint8), np.arange(16) % 3


@pytest.fixture(scope="module")
def folders(exports):
    return exports[1]


@pytest.fixture(scope="module")
def layers(folders):
    """Both exports as layers that stay as they are."""
    return {name: load_backbone(folder) for name, folder in folders.items()}


def _classifier(folder, jit_compile=False, trainable=True, run_eagerly=True):
    images = keras.Input((None, None, 3), dtype="uint8")
    backbone = load_backbone(folder)
    backbone.trainable = trainable
    model = keras.Model(images, keras.layers.Dense(3)(backbone(images)["features"]))
    model.compile(
        keras.optimizers.AdamW(1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
        run_eagerly=run_eagerly,
    )
    return model, backbone


def _moved(backbone, before):
    return [
        np.abs(v.numpy() - b).max() > 1e-4 for v, b in zip(backbone.weights, before, strict=True)
    ]


@pytest.fixture(scope="module")
def fine_tuned(folders):
    """Fine-tunes a backbone once; returns the model, backbone, weights before, and losses."""

    @functools.cache
    def fine_tune(name, jit_compile):
        keras.utils.set_random_seed(0)
        # XLA takes long to compile a transformer, and sees nothing in it that it doesn't see in
        # the other.
        model, backbone = _classifier(folders[name], jit_compile, run_eagerly=False)
        before = [v.numpy() for v in backbone.weights]
        epochs = 3 if jit_compile else 16  # A step of unoptimized code takes a second.
        losses = model.fit(IMAGES, LABELS, epochs=epochs, verbose=0).history["loss"]
        return model, backbone, before, losses

    return fine_tune


@pytest.mark.large
@pytest.mark.parametrize(
    ("name", "jit_compile"),
    [("convolutional", False), ("convolutional", True), ("transformer", False)],
)
def test_fine_tuning_with_adamw(fine_tuned, name, jit_compile):
    _, backbone, before, losses = fine_tuned(name, jit_compile)
    half = len(losses) // 2
    assert np.mean(losses[-half:]) < np.mean(losses[:half])
    assert all(_moved(backbone, before)[: len(backbone.trainable_variables)])


@pytest.mark.large
def test_fine_tuned_model_is_exported_again(fine_tuned, tmp_path):
    model, *_ = fine_tuned("transformer", False)
    model.export(tmp_path / "again", verbose=False)
    served = tf.saved_model.load(tmp_path / "again")
    np.testing.assert_allclose(served.serve(IMAGES), model(IMAGES), atol=1e-6)


@pytest.mark.large
def test_fine_tuning_on_two_replicas(folders, two_replicas):
    with two_replicas.scope():
        model, backbone = _classifier(folders["convolutional"], run_eagerly=False)
    before = [v.numpy() for v in backbone.weights]
    losses = model.fit(IMAGES, LABELS, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert all(_moved(backbone, before))


def test_names_are_those_of_the_backbone(layers):
    backbone = layers["convolutional"]
    assert backbone.weights[0].name.endswith("kernel")
    assert backbone.weights[0].shape == (3, 3, 3, 8)
    assert len(backbone.trainable_variables) == 3


def test_frozen_layer_is_a_fixed_function(folders):
    model, backbone = _classifier(folders["convolutional"], trainable=False)
    before = [v.numpy() for v in backbone.weights]
    assert backbone.trainable_variables == []
    model.fit(IMAGES, LABELS, verbose=0)
    assert not any(_moved(backbone, before))
    np.testing.assert_array_equal(
        backbone(IMAGES, training=True)["features"], backbone(IMAGES)["features"]
    )


@pytest.mark.slow
def test_model_file_keeps_the_weights(folders, tmp_path):
    model, _ = _classifier(folders["convolutional"])
    model.fit(IMAGES, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=False)
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))
    model.save_weights(tmp_path / "model.weights.h5")
    other, _ = _classifier(folders["convolutional"])
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(IMAGES), model(IMAGES))


def test_safe_mode_refuses_to_run_a_saved_model(folders, tmp_path):
    model, _ = _classifier(folders["convolutional"])
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"safe_mode=False.*SavedModels are programs"):
        keras.saving.load_model(tmp_path / "model.keras")


def test_any_float_type_is_accepted(layers):
    backbone = layers["convolutional"]
    expected = backbone(IMAGES)["features"]
    for dtype in (tf.float16, tf.bfloat16, tf.float64):
        images = tf.cast(IMAGES, dtype) / tf.constant(255, dtype)
        np.testing.assert_allclose(backbone(images)["features"], expected, atol=5e-2)
    with pytest.raises(ValueError, match=r"`images` to be uint8.*images\.dtype=int32"):
        backbone(IMAGES.astype(np.int32))


def test_mixed_precision_around_it(folders):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model, backbone = _classifier(folders["convolutional"])
    model.fit(IMAGES, LABELS, verbose=0)
    assert backbone(IMAGES)["features"].dtype == tf.float32


def test_intermediate_class_tokens(layers):
    tokens = layers["transformer"].intermediate_class_tokens(IMAGES)
    assert tokens.shape == (16, 2, 12)
    with pytest.raises(ValueError, match=r"Vision Transformer.*convolutional"):
        layers["convolutional"].intermediate_class_tokens(IMAGES)


def test_attention_of_the_last_block(layers):
    assert layers["transformer"].last_self_attention(IMAGES).shape == (16, 2, 5, 5)
    with pytest.raises(ValueError, match=r"convolutional', without the endpoint `attention`"):
        layers["convolutional"].last_self_attention(IMAGES)


def test_other_channels_are_named(layers):
    with pytest.raises(ValueError, match=r"`images` of 3 channels.*alpha channel off"):
        layers["convolutional"](IMAGES[..., [0, 1, 2, 2]])


def test_a_run_and_its_export_share_features(exports):
    """Their fingerprints differed, so that each protocol computed them twice."""
    for name, model in exports[0].items():
        folder = exports[1][name]
        marked = backbone_command._of_backbone(model, 16, MEAN, STD).fingerprint
        assert backbone_command._of_export(folder, folder).fingerprint == marked


def test_config_round_trip(folders):
    layer = ExportedBackbone(folders["convolutional"], name="features", trainable=False)
    copy = ExportedBackbone.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert not copy.trainable
    assert layer.compute_output_shape((7, 20, 18, 3)) == {
        "features": (7, 8),
        "tokens": (7, 64, 8),
    }


def test_folders_that_are_no_export(folders, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere'.*not there.*Check the spelling"):
        load_backbone(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match=r"file'.*which is a file"):
        load_backbone(tmp_path / "file")
    with pytest.raises(ValueError, match=r"not a SavedModel.*saved_model\.pb.*export_backbone"):
        load_backbone(tmp_path)
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(ValueError, match=r"not one of ours.*keras_adasim\.json"):
        load_backbone(tmp_path / "other")
    metadata = folders["convolutional"] / "keras_adasim.json"
    (tmp_path / "other" / metadata.name).write_bytes(metadata.read_bytes())
    with pytest.raises(ValueError, match=r"without \['serve', 'train'\].*export_backbone"):
        load_backbone(tmp_path / "other")


def test_exports_of_earlier_and_later_versions(taken):
    """Version 0.2 wrote no `backbone.keras`, and a later one may tell more."""
    (taken / "backbone.keras").unlink()
    facts = json.loads((taken / "keras_adasim.json").read_text())
    del facts["not_stored_because"]
    for change in ({}, {"not_stored_because": None, "told_later": 1}):
        (taken / "keras_adasim.json").write_text(json.dumps(facts | change))
        assert load_backbone(taken)(IMAGES)["features"].shape == (16, 3)
