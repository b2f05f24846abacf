"""BYOL's loss and objective, against the reference's numbers and the definition."""

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import objectives
from keras_adasim.objectives.byol import regression_loss
from tests.objectives.tiny import build


def small():
    """For the tests of every objective."""
    return objectives.BYOL(out_dim=6, hidden_dim=12, num_layers=3)


def slow_loss(prediction, target):
    """Squared distance of the unit vectors, image by image, in float64."""
    terms = []
    for p, z in zip(prediction.astype("float64"), target.astype("float64"), strict=True):
        terms.append(((p / np.linalg.norm(p) - z / np.linalg.norm(z)) ** 2).sum())
    return np.mean(terms)


def test_loss_and_gradients_equal_the_references(golden):
    arrays, scalars = golden("ssl_losses")
    first, second = (tf.constant(arrays[f"prediction_view_{v}"]) for v in (1, 2))
    targets = [tf.constant(arrays[f"target_view_{v}"]) for v in (1, 2)]
    with tf.GradientTape() as tape:
        tape.watch([first, second, *targets])
        losses = [regression_loss(second, targets[0]), regression_loss(first, targets[1])]
        total = losses[0] + losses[1]
    np.testing.assert_allclose(losses[0], scalars["byol_p2_z1"], atol=1e-5)
    np.testing.assert_allclose(losses[1], scalars["byol_p1_z2"], atol=1e-5)
    np.testing.assert_allclose(total, scalars["byol_total_sum"], atol=1e-5)
    gradients = tape.gradient(total, [first, second, *targets])
    for view in (1, 2):
        expected = arrays[f"byol/gradient_prediction_view_{view}"]
        np.testing.assert_allclose(gradients[view - 1], expected, atol=1e-5)
    assert gradients[2:] == [None, None]


def test_objective_sums_both_directions():
    objective = build(small())
    rng = np.random.default_rng(0)
    views = [{"features": rng.normal(size=(5, 8)).astype("float32")} for _ in range(2)]
    student = objective.student_embeddings(views)
    teacher = objective.teacher_embeddings(views)
    loss, statistics, metrics = objective.compute_loss(student, teacher, {}, 0, 0)
    p, z = student["predictions"].numpy(), teacher["projections"].numpy()
    expected = slow_loss(p[:, 0], z[:, 1]) + slow_loss(p[:, 1], z[:, 0])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert statistics == {}
    assert set(metrics) == set(objective.metric_names)


def test_every_view_has_batch_statistics_of_its_own():
    objective = build(small())
    rng = np.random.default_rng(0)
    views = [{"features": rng.normal(size=(5, 8)).astype("float32")} for _ in range(2)]
    alone = objective.teacher_projector(views[0]["features"], training=True)
    together = objective.teacher_embeddings(views)["projections"][:, 0]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_spread_of_the_targets_watches_collapse():
    objective = build(small())
    rows = np.random.default_rng(0).normal(size=(200, 2, 6)).astype("float32")
    for projections, low, high in ((rows, 0.9, 1.1), (rows[:1].repeat(200, axis=0), 0.0, 1e-3)):
        embeddings = {"predictions": tf.constant(rows)}, {"projections": tf.constant(projections)}
        metrics = objective.compute_loss(*embeddings, {}, 0, 0)[2]
        assert low <= metrics["projection_std"] <= high


def test_defaults_are_the_papers():
    objective = objectives.BYOL()
    objective.build({"features": (None, 2048)})
    assert [dense.units for dense in objective.projector.dense_layers] == [4096, 256]
    assert [dense.units for dense in objective.predictor.dense_layers] == [4096, 256]
    assert len(objective.projector.batch_norms) == len(objective.predictor.batch_norms) == 1


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="out_dim"):
        objectives.BYOL(out_dim=0)
