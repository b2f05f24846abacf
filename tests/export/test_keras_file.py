import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import backbones
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.export import DeviationError, ImageBackbone, export_keras, keras_file, preprocess
from keras_adasim.export.network import of_model
from tests.export.backbones import MEAN, STD, convolutional, teacher_and_student, tiny, transformer

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 20, 18, 3), np.uint8)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The teacher of a transformer, whose drop path is off, and its file."""
    teacher = transformer()
    for layer in sublayers(teacher):
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model = teacher_and_student(teacher, transformer(), MEAN, STD)
    assert export_keras(model, path, 16) <= 1e-6
    return teacher, path


def test_it_gives_what_the_teacher_gives(written):
    teacher, path = written
    loaded = keras.saving.load_model(path)
    expected = teacher(preprocess(tf.constant(IMAGES), 16, MEAN, STD))
    for images in (IMAGES, (IMAGES / 255).astype("float32")):
        outputs = loaded(images)
        assert set(outputs) == {"features", "tokens"}
        for name, value in outputs.items():
            np.testing.assert_allclose(value, expected[name], atol=1e-5)
    assert (loaded.image_size, loaded.mean, loaded.std) == (16, MEAN, STD)
    assert os.listdir(path.parent) == ["model.keras"]


def test_it_trains_on_with_the_students_drop_path(written):
    loaded = keras.saving.load_model(written[1])
    assert len(loaded.trainable_variables) == len(written[0].trainable_variables)
    first, second = (loaded(IMAGES, training=True)["features"] for _ in range(2))
    assert np.abs(first - second).max() > 1e-4
    images = keras.Input((None, None, 3), dtype="uint8")
    model = keras.Model(images, keras.layers.Dense(2)(loaded(images)["features"]))
    assert model(IMAGES).shape == (3, 2)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (IMAGES[..., [0, 1, 2, 2]], ValueError, r"3 channels.*\(3, 20, 18, 4\).*alpha"),
        (IMAGES[..., :1], ValueError, r"3 channels.*\(3, 20, 18, 1\)"),
        (IMAGES[0], ValueError, r"of shape \(B, H, W, 3\).*\(20, 18, 3\)"),
        (IMAGES.astype("int32"), ValueError, r"uint8.*int32"),
        (IMAGES.astype("float32"), tf.errors.InvalidArgumentError, "floats"),
    ],
)
def test_other_images_are_refused(written, images, error, message):
    with pytest.raises(error, match=message):
        keras.saving.load_model(written[1])(images)


def test_configuration_and_arguments():
    model = ImageBackbone(convolutional(), 16, MEAN, STD, value_range=(0, 1000))
    copy = ImageBackbone.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert model(IMAGES.astype("uint16") * 3)["features"].shape == (3, 8)
    for arguments, message in (
        ((None, 16, MEAN, STD), "`backbone` to be a built"),
        ((tiny(), 0, MEAN, STD), "`image_size`.*image_size=0"),
        ((tiny(), 16, (0.5,), STD), "`mean` to be 3 numbers"),
        ((tiny(), 16, MEAN, (0.0, 1, 1)), "`std` to be 3 numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            ImageBackbone(*arguments)


def test_half_precision_goes_to_the_file_and_not_to_onnx(tmp_path):
    backbone = backbones.VisionTransformer(16, 8, 12, 1, 2, dtype="mixed_bfloat16")
    assert export_keras(backbone, tmp_path / "half.keras", 16) <= 8 * 2**-7
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    assert loaded.backbone.compute_dtype == "bfloat16"
    assert loaded(IMAGES)["features"].dtype == tf.float32
    net = of_model(backbone, 16)
    assert net.precision == "bfloat16"
    whole = net.in_float32()
    assert whole.precision == "float32"
    for name, value in whole.look(IMAGES).items():
        np.testing.assert_allclose(value, net.look(IMAGES)[name], atol=0.1)
    assert whole.in_float32() is whole


class Twice(keras.layers.Layer):
    """A layer that isn't registered with Keras."""

    def call(self, x):
        return 2.0 * x


def test_nothing_is_written_or_replaced_where_it_can_not_be_as_it_should(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    with pytest.raises(ValueError, match=r"ends in \.keras. Received: path='.*model.h5'"):
        export_keras(tiny(), tmp_path / "model.h5", 16)
    path.write_text("precious")
    with pytest.raises(FileExistsError, match=r"taken.*`overwrite`"):
        export_keras(tiny(), path, 16)
    images = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(Twice()(images))
    with pytest.raises(ValueError, match=r"classes that Keras knows.*Twice.*register_keras"):
        export_keras(keras.Model(images, {"features": features}), path, 16, overwrite=True)
    monkeypatch.setattr(keras_file, "LIMIT", -1.0)
    monkeypatch.setattr("keras_adasim.export.deviation.ROUNDINGS", -1)
    with pytest.raises(DeviationError, match="Nothing was written"):
        export_keras(tiny(), path, 16, overwrite=True)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["model.keras"]


@pytest.mark.large
def test_a_fresh_process_loads_it_in_safe_mode(written):
    script = (
        "import sys, numpy as np, keras, keras_adasim\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "print(model(np.zeros((2, 9, 9, 3), 'uint8'))['features'].shape)"
    )
    command = [sys.executable, "-c", script, str(written[1])]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.splitlines()[-1] == "(2, 12)"
