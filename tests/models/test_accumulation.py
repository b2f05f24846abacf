"""A batch in parts equals the batch as a whole: one update of everything."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import optimizers
from tests.models import tiny
from tests.models.test_exchange import ToyContrast, small_cnn
from tests.objectives.tiny import make


def build(objective, steps, dropout=0.0, **kwargs):
    keras.utils.set_random_seed(1)
    model = tiny.model(small_cnn(None, dropout), objective(), compiled=False)
    model.compile(
        optimizers.SGD(0.02, momentum=0.9, clipnorm=0.3),
        gradient_accumulation_steps=steps,
        **{"jit_compile": False, **kwargs},
    )
    return model


def trained(*args, **kwargs):
    model = build(*args, **kwargs)
    tiny.train(model)
    return model


@pytest.fixture(scope="module", params=[tiny.dino, ToyContrast])
def whole(request):
    """An objective, and the state after training with it without parts."""
    return request.param, tiny.state(trained(request.param, 1, run_eagerly=True))


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
def test_parts_equal_the_whole(whole, replicas, two_replicas):
    strategy = two_replicas if replicas == 2 else tf.distribute.get_strategy()
    objective, expected = whole
    with strategy.scope():
        parts = trained(objective, 2, run_eagerly=replicas == 1)
    tiny.assert_states_equal(expected, tiny.state(parts), 1e-5)
    tiny.assert_copies_equal(parts)
    assert int(parts.optimizer.iterations.numpy()) == 3


@pytest.mark.large
def test_compiled_parts_equal_inline_ones():
    inline = trained(tiny.dino, 2, run_eagerly=True)
    compiled = trained(tiny.dino, 2, jit_compile=True)
    tiny.assert_states_equal(tiny.state(inline), tiny.state(compiled), 1e-5)


@pytest.mark.slow
def test_dropout_draws_the_same_when_parts_are_run_twice():
    """Embeddings computed first and those the gradient is taken of must be the same."""
    model = build(ToyContrast, 2, dropout=0.5)
    variables = [*model.variables, *model.optimizer.variables]
    before, pairing = [v.numpy() for v in variables], model.pairing.get_state()
    tiny.train(model)
    state = tiny.state(model)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    model.pairing.set_state(pairing)
    tiny.train(model)  # By the same graph, which took the time.
    tiny.assert_states_equal(state, tiny.state(model), 0.0)
    one = trained(ToyContrast, 1, dropout=0.5, run_eagerly=True)
    seeds = [
        [int(v.numpy()[1]) for v in m.student.variables if "seed" in v.path] for m in (one, model)
    ]
    # Two parts a step draw twice, not four times.
    assert [2 * count for count in seeds[0]] == seeds[1]


def moving_statistics(objective):
    """Those of student and teacher after a step in two parts, and how often each network ran."""
    keras.utils.set_random_seed(1)
    model = tiny.model(small_cnn(True), objective, compiled=False)
    model.compile(optimizers.SGD(0.02), gradient_accumulation_steps=2, run_eagerly=True)
    step, calls = model.training_step, collections.Counter()
    for name in ("encode_student", "encode_teacher"):
        encode = getattr(step, name)

        def counted(views, name=name, encode=encode):
            calls[name] += 1
            return encode(views)

        setattr(step, name, counted)
    tiny.train(model, steps=1)
    networks = (model.student, model.teacher)
    return [v.numpy() for m in networks for v in m.weights if "moving" in v.path], calls


def test_statistics_move_once_per_part():
    """They moved twice, and the teacher ran twice, where a loss compares a batch's images."""
    contrasted, calls = moving_statistics(ToyContrast())
    assert calls == {"encode_student": 4, "encode_teacher": 2}
    expected, _ = moving_statistics(tiny.dino())  # Its batch is gone through once.
    assert len(expected) == 4
    for value, other in zip(contrasted, expected, strict=True):
        np.testing.assert_allclose(value, other, atol=1e-6)


@pytest.mark.parametrize("steps", [0, 1.5, 2.0, None, True])
def test_wrong_numbers_of_parts_are_named(steps):
    with pytest.raises(ValueError, match="gradient_accumulation_steps"):
        trained(tiny.dino, steps)


def test_batches_that_cannot_be_parted_are_named():
    with pytest.raises(ValueError, match="batch_size"):
        trained(tiny.dino, 3, run_eagerly=True)


@pytest.mark.parametrize(
    ("objective", "batch_size", "parts"),
    [
        ("byol", 1, 1),
        ("byol", 8, 8),
        ("simsiam", 1, 1),
        ("simsiam", 8, 8),
        ("simclr", 1, 1),
    ],
)
def test_one_image_has_no_statistics_and_no_contrast(objective, batch_size, parts):
    """Normalized over one row, everything is the offset, and nothing was learned."""
    model = build(lambda: make(objective), parts)
    with pytest.raises(ValueError, match=f"at least 2 images.*Received: a batch of {batch_size}"):
        model.fit(tiny.dataset(model, batch_size), verbose=0)


def test_a_last_batch_of_one_image_is_refused():
    model = build(lambda: make("simsiam"), 1)
    with pytest.raises(ValueError, match="a batch of 1"):
        model.fit(tiny.dataset(model, 31, drop_remainder=False), verbose=0)
