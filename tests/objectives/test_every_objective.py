"""What holds for every objective in the training step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import objectives, optimizers, pairing
from tests.models import tiny
from tests.models.test_exchange import small_cnn
from tests.objectives.tiny import NAMES, build, make

# On two replicas in `test_grid`, and DINO in tests/models.
ELSEWHERE = {"dino", "nnclr", "simclr", "simsiam"}


def model(name, **kwargs):
    keras.utils.set_random_seed(1)
    return tiny.model(
        # Features of a convolution differ between images, so that no batch normalization in a head
        # divides by next to nothing.
        small_cnn(None),
        make(name),
        # No bank: it has nothing to do with objectives, and programs of its own.
        pairing.SelfPairing(),
        bank=None,
        optimizer=optimizers.SGD(0.02, momentum=0.9, clipnorm=0.3),
        **kwargs,
    )


@pytest.mark.large
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ELSEWHERE])
def test_two_replicas_equal_one_device(two_replicas, name):
    one = model(name)
    expected = tiny.train(one)
    with two_replicas.scope():
        two = model(name)
    history = tiny.train(two)
    np.testing.assert_allclose(history["loss"], expected["loss"], atol=1e-5)
    tiny.assert_states_equal(tiny.state(one), tiny.state(two), 1e-5)
    tiny.assert_copies_equal(two)


@pytest.mark.large
@pytest.mark.parametrize(("name", "replicas"), [("nnclr", 2), ("esvit", 1)])
def test_compiled_equals_eager(two_replicas, name, replicas):
    # On one device; two replicas that aren't compiled equal that.
    eager = model(name)
    tiny.train(eager)
    strategy = two_replicas if replicas == 2 else tf.distribute.get_strategy()
    with strategy.scope():
        compiled = model(name, jit_compile=True)
    tiny.train(compiled)
    tiny.assert_copies_equal(compiled)
    tiny.assert_states_equal(tiny.state(eager), tiny.state(compiled), 1e-5)


@pytest.mark.large
@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path, name):
    saved = model(name)
    before = [v.numpy().copy() for v in saved.trainable_variables]
    history = tiny.train(saved, steps=2)
    assert set(history) == {"loss", "feature_std", "skipped_steps", *saved.objective.metric_names}
    assert all(np.isfinite(values).all() for values in history.values())
    for old, variable in zip(before, saved.trainable_variables, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0, variable.path
    saved.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.objective.get_config() == saved.objective.get_config()
    tiny.assert_states_equal(tiny.state(saved), tiny.state(loaded), 0.0)
    for each in (saved, loaded):
        tiny.train(each, steps=1)
    tiny.assert_states_equal(tiny.state(saved), tiny.state(loaded), 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_keeps_loss_and_state_in_float32(name):
    keras.mixed_precision.set_global_policy("mixed_float16")
    trained = model(name)
    history = tiny.train(trained, steps=1)
    assert np.isfinite(history["loss"]).all()
    assert {w.dtype for w in trained.objective.weights} <= {"float32", "int64"}
    assert trained.objective.heads[0][0].compute_dtype == "float16"


@pytest.mark.parametrize("name", NAMES)
def test_config_round_trip(name):
    objective = make(name)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert twin.get_config() == objective.get_config()
    default = type(objective)().get_config()
    changed = {key for key, value in objective.get_config().items() if value != default[key]}
    assert len(changed - {"name"}) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_local_crops_are_learned_from_or_refused(name):
    rng = np.random.default_rng(0)
    views = [
        {"features": rng.random((4, 8), "float32"), "tokens": rng.random((4, 4, 8), "float32")}
        for _ in range(3)
    ]
    objective = build(make(name))
    try:
        embeddings = objective.student_embeddings(views)
    except ValueError as error:
        assert "num_local=0" in str(error)  # noqa: PT017
    else:
        assert len(embeddings["logits"]) == 3


@pytest.mark.parametrize("name", NAMES)
def test_teacher_heads_follow(name):
    objective = build(make(name))
    has_teachers = [teacher is not None for _, teacher in objective.heads]
    assert any(has_teachers) == objective.has_teacher


def test_names_are_public():
    methods = {"BYOL", "DINO", "EsViT", "MoCoV3", "NNCLR", "SimCLR", "SimSiam"}
    assert methods <= set(objectives.__all__)
    assert len(NAMES) == len(objectives.__all__) - len(NAMES) - 1
    assert objectives.dino.DINO is objectives.DINO
