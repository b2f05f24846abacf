"""SimSiam's loss and objective, against the official numbers and the definition."""

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import SelfDistillation, objectives, optimizers
from keras_adasim.objectives.simsiam import negative_cosine
from tests.models import tiny
from tests.models.test_exchange import small_cnn
from tests.objectives.tiny import build


def small():
    """For the tests of every objective."""
    return objectives.SimSiam(
        out_dim=6,
        hidden_dim=12,
        num_layers=2,
        predictor_hidden_dim=5,
        predictor_learning_rate=0.01,
    )


def slow_loss(prediction, target):
    """Minus the cosine, image by image, in float64."""
    terms = []
    for p, z in zip(prediction.astype("float64"), target.astype("float64"), strict=True):
        terms.append(-(p @ z) / (np.linalg.norm(p) * np.linalg.norm(z)))
    return np.mean(terms)


def test_loss_and_gradients_equal_the_official_ones(golden):
    arrays, scalars = golden("ssl_losses")
    first, second = (tf.constant(arrays[f"prediction_view_{v}"]) for v in (1, 2))
    targets = [tf.constant(arrays[f"target_view_{v}"]) for v in (1, 2)]
    with tf.GradientTape() as tape:
        tape.watch([first, second, *targets])
        losses = [negative_cosine(first, targets[1]), negative_cosine(second, targets[0])]
        total = 0.5 * losses[0] + 0.5 * losses[1]
    np.testing.assert_allclose(losses[0], scalars["simsiam_p1_z2"], atol=1e-5)
    np.testing.assert_allclose(losses[1], scalars["simsiam_p2_z1"], atol=1e-5)
    np.testing.assert_allclose(total, scalars["simsiam_total_official"], atol=1e-5)
    gradients = tape.gradient(total, [first, second, *targets])
    for view in (1, 2):
        expected = arrays[f"simsiam/gradient_prediction_view_{view}"]
        np.testing.assert_allclose(gradients[view - 1], expected, atol=1e-5)
    assert gradients[2:] == [None, None]


def test_objective_is_the_mean_of_both_directions():
    objective = build(small())
    rng = np.random.default_rng(0)
    views = [{"features": rng.normal(size=(5, 8)).astype("float32")} for _ in range(2)]
    student = objective.student_embeddings(views)
    loss, _, metrics = objective.compute_loss(student, {}, {}, 0, 0)
    p, z = student["predictions"].numpy(), student["projections"].numpy()
    expected = (slow_loss(p[:, 0], z[:, 1]) + slow_loss(p[:, 1], z[:, 0])) / 2
    np.testing.assert_allclose(loss, expected, atol=1e-5)
    assert set(metrics) == set(objective.metric_names)
    # The projector's last normalization has neither scale nor offset.
    np.testing.assert_allclose(z.mean(axis=0), np.zeros((2, 6)), atol=1e-5)


def test_there_is_no_teacher():
    model = tiny.model(small_cnn(None), build(small()), compiled=False)
    assert model.teacher is model.student
    assert model.objective.teacher_embeddings([]) == {}


@pytest.mark.parametrize("rate", ["base", 0.01, None])
def test_the_predictors_learning_rate_is_constant(rate):
    """With a schedule that has come down to zero only the predictor moves, unless it follows."""
    objective = objectives.SimSiam(6, 12, 2, 5, predictor_learning_rate=rate)
    model = SelfDistillation(small_cnn(None), objective, augment=tiny.crops_only())
    model.compile(optimizers.SGD(optimizers.WarmupCosine(0.1, 0.0, 10)), run_eagerly=True)
    model.optimizer.iterations.assign(10)
    before = [v.numpy().copy() for v in model.trainable_variables]
    predictor = {id(v) for v in objective.predictor.trainable_variables}
    tiny.train(model, steps=1)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        moved = np.abs(variable.numpy() - old).max() > 0
        assert moved == (rate is not None and id(variable) in predictor), variable.path


def test_defaults_are_the_papers():
    objective = objectives.SimSiam()
    assert objective.predictor_learning_rate == "base"
    objective.build({"features": (None, 512)})
    assert [dense.units for dense in objective.projector.dense_layers] == [2048] * 3
    assert [dense.units for dense in objective.predictor.dense_layers] == [512, 2048]
    assert [norm.scale for norm in objective.projector.batch_norms] == [True, True, False]


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="predictor_learning_rate"):
        objectives.SimSiam(6, 12, 2, 5, predictor_learning_rate=0.0)
    with pytest.raises(ValueError, match="predictor_learning_rate"):
        objectives.SimSiam(6, 12, 2, 5, predictor_learning_rate="basis")
