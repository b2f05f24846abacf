import keras
import numpy as np
import pytest

from keras_adasim.backbones import adapt
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.models.teacher import make_teacher

applications = keras.applications


def mobilenet(**kwargs):
    arguments = {"input_shape": (None, None, 3), "include_top": False, **kwargs}
    return applications.MobileNetV2(alpha=0.35, weights=None, **arguments)


def images(size=32, channels=3):
    return np.random.default_rng(0).normal(size=(2, size, size, channels)).astype("float32")


@pytest.mark.large
@pytest.mark.parametrize(
    ("build", "dim"),
    [
        (mobilenet, 1280),
        (lambda: applications.ResNet50(False, None, input_shape=(32, 32, 3)), 2048),
    ],
)
def test_keras_applications(build, dim, tmp_path, caplog):
    model = build()
    backbone = adapt(model)
    assert backbone.preprocessing_layers == ()
    assert not caplog.text  # Nothing is noted without preprocessing.
    outputs = backbone(images())
    assert backbone.feature_dim == dim
    assert outputs["features"].shape == (2, dim)
    assert outputs["tokens"].shape == (2, 1, dim)
    np.testing.assert_allclose(outputs["tokens"][:, 0], model(images())[:, 0, 0], atol=1e-6)
    twins = [make_teacher(backbone)]
    backbone.save(tmp_path / "model.keras")
    twins.append(keras.models.load_model(tmp_path / "model.keras"))
    for twin in twins:
        assert type(twin) is type(backbone)
        np.testing.assert_array_equal(twin(images())["features"], outputs["features"])
        lonely = [layer.name for layer in sublayers(twin) if is_lonely(layer)]
        assert not lonely


def is_lonely(layer):
    return isinstance(layer, keras.layers.BatchNormalization) and not layer.synchronized


@pytest.mark.parametrize(
    "build",
    [
        lambda: mobilenet(input_shape=(32, 32, 3), include_top=True),
        # Ends in an activation.
        lambda: applications.MobileNet((32, 32, 3), alpha=0.25, weights=None),
    ],
)
def test_classifiers_are_refused(build):
    with pytest.raises(ValueError, match=r"'predictions'.*`include_top=False`.*`\.backbone`"):
        adapt(build())


def test_a_cut_classifier_is_taken():
    model = mobilenet(input_shape=(32, 32, 3), include_top=True)
    assert adapt(keras.Model(model.input, model.layers[-2].output)).feature_dim == 1280


@pytest.mark.parametrize("layer", [keras.layers.Rescaling(1 / 255), keras.layers.Normalization()])
def test_preprocessing_inside_is_noted(layer, caplog):
    inputs = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(4, 3)(layer(inputs))
    backbone = adapt(keras.Model(inputs, maps, name="mine"))
    assert backbone.preprocessing_layers == (layer.name,)
    assert f"mine scales or normalizes images itself ({layer.name})" in caplog.text


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (keras.Sequential([keras.layers.Conv2D(4, 3)]), {}, r"functional.*Received: Sequential"),
        (keras.layers.Conv2D(4, 3), {}, r"functional.*Received: Conv2D"),
        (keras.Sequential([keras.Input((8,)), keras.layers.ReLU()]), {}, r"shapes \[\(None, 8\)\]"),
        (
            keras.Sequential([keras.Input((8, 6, 3)), keras.layers.ReLU()]),
            {},
            "square images.*8 x 6 pixels",
        ),
        (
            keras.Sequential([keras.Input((8, 8, 3)), keras.layers.ReLU()], name="mine"),
            {"image_size": 16},
            "`image_size` to be 8, the only size that mine.*image_size=16",
        ),
    ],
)
def test_models_that_are_not_understood_are_refused(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        adapt(model, **arguments)
