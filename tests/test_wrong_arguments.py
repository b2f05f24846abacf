"""Every number that a constructor takes is checked in the same way, and named when it is wrong.

They used to be checked in four ways: a width of "3" was one constructor's TypeError and another's
layer, True was a count, and a temperature or momentum of NaN passed.
"""

import inspect

import numpy as np
import pytest

from keras_adasim import augment, layers, objectives, optimizers
from keras_adasim.layers.padded_convolution import PaddedConvolution
from keras_adasim.layers.patch_embedding import PatchEmbedding
from keras_adasim.layers.position_embedding import PositionEmbedding
from keras_adasim.layers.residual_block import ResidualBlock
from keras_adasim.layers.self_attention import SelfAttention
from keras_adasim.layers.swin_block import SwinBlock
from keras_adasim.layers.transformer_block import TransformerBlock
from keras_adasim.layers.window_attention import WindowAttention
from keras_adasim.optimizers.loss_scale import LossScale

# Arguments without a default, or whose default tells no type.
CONSTRUCTORS = {
    augment.ColorJitter: {},
    augment.DINOAugment: {"crops": augment.MultiCrop(8)},
    augment.GaussianBlur: {},
    augment.KeyedGenerator: {"seed": 0, "stream": 0, "step": [0], "rows": [2], "replica_id": [0]},
    augment.MultiCrop: {},
    augment.RandomApply: {"layer": augment.GaussianBlur()},
    augment.RandomResizedCrop: {"size": 4},
    layers.DropPath: {"rate": 0.1, "seed": 1},
    layers.FeatureQueue: {"size": 4, "feature_dim": 2},
    layers.MLPHead: {"out_dim": 2, "hidden_dim": 2},
    layers.ProjectionHead: {"out_dim": 2},
    PaddedConvolution: {"filters": 2, "kernel_size": 3},
    PatchEmbedding: {"patch_size": 2, "embed_dim": 4},
    PositionEmbedding: {"grid_size": 2},
    ResidualBlock: {"filters": 2},
    SelfAttention: {"num_heads": 2},
    SwinBlock: {"num_heads": 2, "window_size": 2},
    TransformerBlock: {"num_heads": 2},
    WindowAttention: {"num_heads": 2, "window_size": 2},
    objectives.BYOL: {},
    objectives.DINO: {},
    objectives.EsViT: {},
    objectives.MoCoV3: {},
    objectives.NNCLR: {},
    objectives.SimCLR: {},
    objectives.SimSiam: {"predictor_learning_rate": 0.1},
    optimizers.AdamW: {"clipnorm": 1.0},
    optimizers.LARS: {"clipnorm": 1.0},
    optimizers.SGD: {"clipnorm": 1.0},
    optimizers.Constant: {"value": 1.0},
    optimizers.EpochWarmup: {"start": 0.0, "final": 1.0, "warmup_epochs": 1, "steps_per_epoch": 2},
    optimizers.WarmupCosine: {"base": 1.0, "final": 0.0, "steps": 4},
    LossScale: {},
}
WRONG = {
    int: (None, "3", True, 2.0, -1),
    float: (None, "0.5", True, np.nan, np.inf),
    tuple: (None, 0.5, (0.5,), (np.nan, 1.0), ("a", "b"), (0.9, 0.5)),
}
MAY_BE_NONE = {"clipnorm", "seed", "predictor_learning_rate"}
# Their own tests say what these pairs of numbers per channel must be.
PER_CHANNEL = {"mean", "std"}


def numbers():
    for cls, given in CONSTRUCTORS.items():
        defaults = {p.name: p.default for p in inspect.signature(cls.__init__).parameters.values()}
        for name, value in (defaults | given).items():
            if type(value) in WRONG and value != () and name not in PER_CHANNEL:
                yield pytest.param(cls, name, type(value), id=f"{cls.__name__}-{name}")


@pytest.mark.parametrize(("cls", "name", "kind"), list(numbers()))
def test_wrong_numbers_are_named(cls, name, kind):
    for value in WRONG[kind]:
        if value is None and name in MAY_BE_NONE:
            continue
        with pytest.raises(ValueError, match=rf"Expected `{name}` .*\. Received: {name}="):
            cls(**{**CONSTRUCTORS[cls], name: value})


def test_no_public_constructor_is_forgotten():
    public = [
        getattr(room, name)
        for room in (augment, layers, objectives, optimizers)
        for name in room.__all__
    ]
    classes = {value for value in public if inspect.isclass(value)}
    others = {"NeighborBank", "Normalize", "Objective", "Optimizer", "Schedule"}
    assert {cls.__name__ for cls in classes - set(CONSTRUCTORS)} == others
