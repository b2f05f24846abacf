"""From a KerasHub preset through training to files, and to a KerasHub preset again."""

import keras
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("keras_hub", reason="keras-hub isn't installed")

from keras_adasim import backbones
from keras_adasim.export import export_backbone, export_preset
from keras_adasim.layers.preprocessing import preprocess
from tests.backbones import hub_presets
from tests.models import tiny

IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")


# What is switched off in the teacher.
DROPOUT = {"dinov2": {"dropout_rate": 0.5}, "dinov3": {"drop_path_rate": 0.5}}


@pytest.fixture(scope="module", params=DROPOUT)
def trained(request, tmp_path_factory):
    """A model trained from a preset, whose position embeddings were for larger images."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("hub") / request.param
    hub_presets.save(getattr(hub_presets, request.param)(**DROPOUT[request.param]), folder)
    backbone = backbones.get(f"hub:{folder}")
    before = backbone(IMAGES)["features"]
    model = tiny.model(backbone, augment=tiny.crops_only())
    tiny.train(model, steps=2)
    assert np.abs(model.teacher(IMAGES)["features"] - before).max() > 1e-4
    return model


@pytest.mark.large
def test_preset(trained, tmp_path):
    expected = trained.teacher(IMAGES)
    for overwrite in (False, True):
        export_preset(trained, tmp_path / "preset", overwrite=overwrite)
    preset = str(tmp_path / "preset")
    inner = hub_presets.models.Backbone.from_preset(preset)
    assert 0.5 in (inner.get_config().get("dropout_rate"), inner.drop_path_rate)
    sequence = inner({inner.inputs[0].name: IMAGES})
    np.testing.assert_allclose(sequence[:, 0], expected["features"], atol=1e-5)
    np.testing.assert_allclose(sequence[:, -4:], expected["tokens"], atol=1e-5)
    again = backbones.get(preset)
    np.testing.assert_allclose(again(IMAGES)["features"], expected["features"], atol=1e-5)
    np.testing.assert_allclose(again.mean, trained.augment.mean)
    # KerasHub's own preprocessing is ours.
    images = np.random.default_rng(1).integers(0, 256, (2, 20, 14, 3), np.uint8)
    converted = hub_presets.keras_hub.layers.ImageConverter.from_preset(preset)(images)
    ours = preprocess(tf.constant(images), 8, again.mean, again.std)
    np.testing.assert_allclose(converted, ours, atol=1e-2)  # It rounds to bytes.


@pytest.mark.large
def test_files(trained, tmp_path, bytes_alone):
    """Two kinds of file that training goes on from."""
    expected = trained.teacher(IMAGES)["features"]
    trained.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.teacher(IMAGES)["features"], expected)
    np.testing.assert_array_equal(
        loaded.student(IMAGES)["features"], trained.student(IMAGES)["features"]
    )
    export_backbone(trained, tmp_path / "export", 8)
    backbone = backbones.get(tmp_path / "export")
    np.testing.assert_array_equal(backbone(IMAGES)["features"], expected)
    assert backbone.backbone.get_config() == trained.student.backbone.get_config()
    assert backbone.mean == tuple(trained.augment.mean)


def test_other_backbones_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"KerasHub.*VisionTransformer.*export_backbone"):
        export_preset(tiny.vit(), tmp_path / "preset")
    images = keras.Input((8, 8, 3))
    adapted = backbones.adapt(keras.Model(images, keras.layers.Conv2D(2, 3)(images)))
    with pytest.raises(ValueError, match=r"KerasHub.*Received: Functional"):
        export_preset(adapted, tmp_path / "preset")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    with pytest.raises(FileExistsError, match=r"holds no config\.json and metadata\.json"):
        export_preset(adapted, tmp_path / "thesis", overwrite=True)
