"""Every argument is checked in the same way, and named when it is wrong.

They used to be checked in four ways: a width of "3" was one constructor's TypeError and another's
layer, True was a count, and a temperature or momentum of NaN passed. Of 1,688 wrong values of
public arguments 695 were named; `benchmarks/wrong_arguments.py` gives them all, and here those that
take no time.
"""

import inspect

import pytest

from benchmarks.wrong import arguments
from benchmarks.wrong.asking import Subject, ask, shown
from keras_adasim import augment, callbacks, layers, objectives, optimizers, pairing
from keras_adasim.layers.padded_convolution import PaddedConvolution
from keras_adasim.layers.patch_embedding import PatchEmbedding
from keras_adasim.layers.position_embedding import PositionEmbedding
from keras_adasim.layers.residual_block import ResidualBlock
from keras_adasim.layers.self_attention import SelfAttention
from keras_adasim.layers.swin_block import SwinBlock
from keras_adasim.layers.transformer_block import TransformerBlock
from keras_adasim.layers.window_attention import WindowAttention
from keras_adasim.optimizers.loss_scale import LossScale

ROOMS = (augment, callbacks, layers, objectives, optimizers, pairing)
# Base classes, errors, Keras' own, and what is made of arguments that were checked before.
UNASKED = {"Objective", "Optimizer", "Pairing", "PushNeighbors", "Schedule", "SelfPairing"}
UNASKED |= {"KeyedGenerator", "CollapseError", "EventLog"}
BLOCK = {"filters": "count", "strides": "count"}
COUNTS = {**BLOCK, "kernel_size": "count"}
WITHIN = (
    Subject(PaddedConvolution, {"filters": 2, "kernel_size": 3}, COUNTS),
    Subject(PatchEmbedding, {"patch_size": 2, "embed_dim": 4}),
    Subject(PositionEmbedding, {"grid_size": 2}, {"grid_size": "count"}),
    Subject(ResidualBlock, {"filters": 2}, {**BLOCK, "bottleneck": "switch"}),
    Subject(SelfAttention, {"num_heads": 2}),
    Subject(SwinBlock, {"num_heads": 2, "window_size": 2}, {"shift": "count from 0"}),
    Subject(TransformerBlock, {"num_heads": 2}),
    Subject(WindowAttention, {"num_heads": 2, "window_size": 2}, {"shift": "count from 0"}),
    Subject(LossScale, kinds={"initial": "positive", "growth_steps": "count"}),
)


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """The subjects of the benchmark, as far as they are cheap to ask."""
    parts = arguments.Parts(tmp_path_factory.mktemp("wrong"))
    return {
        "pairing": arguments.of_pairing(),
        "layers": arguments.of_layers(),
        "objectives": arguments.of_objectives(),
        "losses": arguments.of_losses(),
        "optimizers": arguments.of_optimizers(),
        "augment": arguments.of_augment(),
        "callbacks": arguments.of_callbacks(parts),
        "within": WITHIN,
    }


GROUPS = ("pairing", "layers", "objectives", "losses", "optimizers", "augment", "callbacks")


@pytest.mark.parametrize("group", [*GROUPS, "within"])
def test_wrong_values_are_named(groups, group):
    answers = list(ask(groups[group]))
    assert len(answers) > 100
    assert [shown(*each) for each in answers if each[3] != "named"] == []


def test_no_public_constructor_is_forgotten(groups):
    asked = {subject.function for group in groups.values() for subject in group}
    public = {getattr(room, name) for room in ROOMS for name in room.__all__ if name[0].isupper()}
    assert {each.__name__ for each in public - asked if inspect.isclass(each)} == UNASKED
