import numpy as np
import pytest

from keras_adasim.backbones import vit_base, vit_mini, vit_small, vit_tiny


@pytest.mark.large
@pytest.mark.parametrize(
    ("preset", "width", "heads", "million_parameters"),
    [(vit_tiny, 192, 3, 5.5), (vit_small, 384, 6, 21.7), (vit_base, 768, 12, 85.8)],
)
def test_sizes_are_the_published_ones(preset, width, heads, million_parameters):
    model = preset()
    assert (model.feature_dim, model.num_heads, model.depth) == (width, heads, 12)
    assert (model.image_size, model.patch_size) == (224, 16)
    assert model.count_params() / 1e6 == pytest.approx(million_parameters, abs=0.05)
    assert model.name == preset.__name__


def test_one_for_a_cpu():
    model = vit_mini()
    assert (model.feature_dim, model.num_heads, model.depth) == (96, 3, 4)
    assert model.count_params() / 1e6 == pytest.approx(0.54, abs=0.01)
    assert model.name == "vit_mini"


def test_arguments_reach_the_model():
    model = vit_tiny(32, 8, num_heads=6, drop_path_rate=0.2, channels=1, name="mine")
    assert model.name == "mine"
    assert (model.num_heads, model.drop_path_rate) == (6, 0.2)
    assert model(np.zeros((1, 16, 24, 1), "float32"))["tokens"].shape == (1, 6, 192)
