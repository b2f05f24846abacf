import json
import zipfile

import keras
import numpy as np
import pytest

from keras_adasim.backbones import adapt
from keras_adasim.backbones.stored_backbone import (
    FILE_NAME,
    METADATA_NAME,
    is_stored_backbone,
    load_stored_backbone,
    store_backbone,
)
from keras_adasim.backbones.sublayers import sublayers
from tests.export.backbones import convolutional, tiny

IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")


def export(folder, **metadata):
    """What `export_backbone` leaves in a folder beside the backbone."""
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"")
    facts = {"mean": [0.5] * 3, "std": [0.2] * 3, **metadata}
    (folder / METADATA_NAME).write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize("build", [convolutional, lambda: adapt(convolutional_maps())])
def test_round_trip(tmp_path, build):
    backbone, folder = build(), export(tmp_path / "e")
    assert store_backbone(backbone, folder) is None
    loaded = load_stored_backbone(folder)
    np.testing.assert_array_equal(loaded(IMAGES)["features"], backbone(IMAGES)["features"])
    assert len(loaded.trainable_weights) == len(backbone.trainable_weights)
    assert loaded.std == (0.2, 0.2, 0.2)
    assert [
        layer.synchronized for layer in sublayers(loaded) if hasattr(layer, "synchronized")
    ] == [layer.synchronized for layer in sublayers(backbone) if hasattr(layer, "synchronized")]


def convolutional_maps():
    images = keras.Input((None, None, 3))
    maps = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(images))
    return keras.Model(images, maps)


class Twice(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Twice, "Could not locate class 'Twice'"),
        # Its code would be run on loading.
        (lambda: keras.layers.Lambda(lambda x: 2.0 * x), "deserialization of a `Lambda` layer"),
    ],
)
def test_what_keras_does_not_know_is_not_stored(tmp_path, layer, reason):
    images = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(layer()(images))
    folder = export(tmp_path / "e", not_stored_because=reason)
    assert reason in store_backbone(keras.Model(images, {"features": features}), folder)
    assert not (folder / FILE_NAME).exists()
    with pytest.raises(ValueError, match=r"can't be rebuilt.*register_keras_serializable"):
        load_stored_backbone(folder)


def test_earlier_exports_are_refused_with_the_way_out(tmp_path):
    with pytest.raises(ValueError, match=r"made before.*`keras-adasim export --backbone=RUN"):
        load_stored_backbone(export(tmp_path / "e"))


def test_damaged_files_are_named(tmp_path):
    folder = export(tmp_path / "e")
    (folder / FILE_NAME).write_bytes(b"x")
    with pytest.raises(ValueError, match=r"backbone\.keras' to hold.*not a zip"):
        load_stored_backbone(folder)
    with zipfile.ZipFile(folder / FILE_NAME, "w"):
        pass
    with pytest.raises(ValueError, match=r"backbone\.keras' to hold.*config\.json"):
        load_stored_backbone(folder)
    (folder / METADATA_NAME).write_text("{")
    with pytest.raises(ValueError, match=r"sound JSON.*keras_adasim\.json"):
        load_stored_backbone(folder)


def test_what_is_a_stored_backbone(tmp_path):
    assert not is_stored_backbone(tmp_path)
    export(tmp_path / "saved_model")
    assert is_stored_backbone(tmp_path)
    assert is_stored_backbone(tmp_path / "saved_model")
    assert not is_stored_backbone(tmp_path / "nowhere")


def test_a_store_does_not_change_the_backbone(tmp_path):
    backbone = tiny()
    before = backbone(IMAGES)["features"]
    store_backbone(backbone, tmp_path)
    np.testing.assert_array_equal(backbone(IMAGES)["features"], before)
