import numpy as np
import pytest

from keras_adasim.backbones import swin_tiny


@pytest.fixture(scope="module")
def presets():
    """Models by their window's size; 7 is the default."""
    return {7: swin_tiny(), 14: swin_tiny(window_size=14)}


@pytest.mark.large
@pytest.mark.parametrize(("window_size", "side"), [(7, 7), (14, 7)])
def test_sizes_are_the_published_ones(presets, window_size, side):
    model = presets[window_size]
    # The published 28,288,354 less the classifier; only the tables depend on the window.
    tables = sum(int(np.prod(t.shape)) for n, (t, _) in model.torch_names().items() if "table" in n)
    assert model.count_params() - tables == 28_288_354 - 769_000 - 169 * (6 + 12 + 72 + 48)
    windows = [blocks[-1].window_size for blocks in model.stages]
    assert windows == [window_size, window_size, window_size, side]
    assert [blocks[1].shift for blocks in model.stages][::3] == [window_size // 2, 0]
    assert (model.feature_dim, model.image_size, model.name) == (768, 224, "swin_tiny")
    assert model.stages[-1][-1].drop_path.rate == pytest.approx(0.1)


def test_local_crops_of_96_pixels(presets):
    outputs = presets[7](np.zeros((1, 96, 96, 3), "float32"))
    assert outputs["features"].shape == (1, 768)
    assert outputs["tokens"].shape == (1, 9, 768)


def test_names_are_official(presets):
    names = presets[14].torch_names()
    table = "layers.2.blocks.5.attn.relative_position_bias_table"
    assert names[table][0].shape == (27 * 27, 12)
    assert names["layers.3.blocks.1.attn.relative_position_bias_table"][0].shape == (169, 24)
    assert names["layers.2.downsample.reduction.weight"][0].shape == (1536, 768)
    assert "layers.3.downsample.reduction.weight" not in names


def test_arguments_reach_the_model():
    model = swin_tiny(64, 4, drop_path_rate=0.0, channels=1, name="mine")
    assert (model.image_size, model.window_size, model.name) == (64, 4, "mine")
    assert model.drop_path_rate == 0.0
    assert model.input_shape == (None, None, None, 1)
