"""Continuing public pretraining: student, teacher and heads of one PyTorch checkpoint."""

import pathlib

import numpy as np
import pytest

from keras_adasim import backbones, objectives
from tests.backbones.test_torch_weights import backbone, values
from tests.models import tiny

CHECKPOINT = pathlib.Path(__file__).parents[1] / "backbones/fixtures/adasim_checkpoint.pth"


def model(objective=None):
    arguments = {"out_dim": 10, "hidden_dim": 12, "bottleneck_dim": 6}
    return tiny.model(backbone(), objective or objectives.DINO(**arguments))


def test_both_networks_and_their_heads_are_loaded():
    continued = model()
    continued.load_torch_weights(CHECKPOINT)
    heads = continued.objective.heads[0]
    for network, head, offset in (
        (continued.student, heads[0], 0),
        (continued.teacher, heads[1], 100),
    ):
        state = backbones.torch_state(network) | backbones.torch_state(head)
        for name, position, shape in (("norm.bias", 17, (8,)), ("mlp.4.bias", 23, (6,))):
            np.testing.assert_allclose(state[name], values(position, shape, offset), atol=1e-5)
    assert np.isfinite(tiny.train(continued)["loss"]).all()


def test_esvits_region_heads_have_a_place_of_their_own():
    arguments = {"out_dim": 10, "hidden_dim": 12, "bottleneck_dim": 6}
    first, second = (model(objectives.EsViT(**arguments)) for _ in range(2))
    weights = {}
    for key, place in (("student", 0), ("teacher", 1)):
        network = {"student": first.student, "teacher": first.teacher}[key]
        weights[key] = {f"module.{k}": v for k, v in backbones.torch_state(network).items()}
        for prefix, pair in zip(("head", "head_dense"), first.objective.heads, strict=True):
            state = backbones.torch_state(pair[place])
            weights[key] |= {f"module.{prefix}.{k}": v for k, v in state.items()}
    second.load_torch_weights(weights)
    for expected, found in zip(first.objective.weights, second.objective.weights, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("name", ["byol", "simsiam"])
def test_heads_that_pytorch_has_no_names_for_begin_anew(name):
    objective = {
        "byol": lambda: objectives.BYOL(6, 12),
        "simsiam": lambda: objectives.SimSiam(6, 12, 2, 5),
    }[name]()
    continued = model(objective)
    heads = [weight.numpy() for weight in objective.weights]
    continued.load_torch_weights(CHECKPOINT)
    bias = backbones.torch_state(continued.student)["norm.bias"]
    np.testing.assert_allclose(bias, values(17, (8,), 0), atol=1e-5)
    for before, weight in zip(heads, objective.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), before)


def test_what_does_not_fit_is_named_and_nothing_is_loaded():
    for objective, weights, message in (
        (objectives.DINO(out_dim=11, hidden_dim=12, bottleneck_dim=6), CHECKPOINT, "weight_v"),
        (None, backbones.torch_state(backbone()), "'student' and 'teacher'"),
    ):
        continued = model(objective)
        before = [weight.numpy() for weight in continued.weights]
        with pytest.raises(ValueError, match=message):
            continued.load_torch_weights(weights)
        for old, weight in zip(before, continued.weights, strict=True):
            np.testing.assert_array_equal(weight.numpy(), old)
