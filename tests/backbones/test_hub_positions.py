"""KerasHub's DINOv2 stores other position embeddings than it uses; ours keeps what it learned."""

import keras
import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="keras-hub isn't installed")

from keras_adasim.backbones import adapt
from keras_adasim.backbones.hub_positions import with_own_positions
from tests.backbones import hub_presets

IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")


@pytest.mark.parametrize("trained_size", [8, 16])
@pytest.mark.parametrize("change", [-0.5, 0.5])
def test_what_is_learned_is_in_the_file(tmp_path, trained_size, change):
    """Less than all of it used to come back: nothing, if the changes' sum was negative."""
    backbone = adapt(hub_presets.dinov2(trained_size=trained_size))
    used = backbone.backbone.embeddings.interpolated_position_embeddings
    used.assign(used + change * np.random.default_rng(1).random(used.shape))
    expected = backbone(IMAGES)["features"]
    backbone.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(IMAGES)["features"], expected)
    backbone.save_weights(tmp_path / "model.weights.h5")
    twin = adapt(hub_presets.dinov2(trained_size=trained_size))
    twin.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(twin(IMAGES)["features"], expected)


def test_a_rebuilt_model_is_the_same_function():
    model = hub_presets.dinov2()
    model.embeddings.trainable = False
    rebuilt = with_own_positions(model)
    assert rebuilt.position_embedding_shape == model.image_shape
    assert rebuilt.embeddings.position_embeddings.shape == (1, 5, 8)
    np.testing.assert_array_equal(rebuilt({"images": IMAGES}), model({"images": IMAGES}))
    assert len(rebuilt.trainable_weights) == len(model.trainable_weights)


def test_other_models_are_left_alone():
    for model in (hub_presets.dinov2(trained_size=8), hub_presets.dinov3()):
        assert with_own_positions(model) is model
