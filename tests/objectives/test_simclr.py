"""SimCLR's loss and objective, against lightly's numbers and the definition."""

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import objectives
from keras_adasim.objectives.simclr import nt_xent
from tests.objectives.tiny import build


def small():
    """For the tests of every objective."""
    return objectives.SimCLR(out_dim=6, hidden_dim=12, num_layers=3, temperature=0.5)


def slow_loss(first, second, temperature):
    """The definition, anchor by anchor, in float64."""
    rows = np.concatenate([first, second]).astype("float64")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    batch, terms = len(first), []
    for i in range(2 * batch):
        logits = rows @ rows[i] / temperature
        total = sum(np.exp(logits[j]) for j in range(2 * batch) if j != i)
        terms.append(np.log(total) - logits[(i + batch) % (2 * batch)])
    return np.mean(terms)


def views(batch=6, dim=4):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(batch, dim)).astype("float32") for _ in range(2)]


def test_loss_equals_lightlys(golden):
    arrays, scalars = golden("ssl_losses")
    loss = nt_xent(
        arrays["target_view_1"], arrays["target_view_2"], scalars["lightly_ntxent_temperature"]
    )
    np.testing.assert_allclose(loss, scalars["lightly_ntxent_plain_z1_z2"], atol=1e-5)


@pytest.mark.parametrize("temperature", [0.05, 0.5])
@pytest.mark.parametrize("batch", [1, 6])
def test_equals_the_definition(batch, temperature):
    first, second = views(batch)
    expected = slow_loss(first, second, temperature)
    np.testing.assert_allclose(nt_xent(first, second, temperature), expected, atol=1e-5)


def test_parts_of_the_batch_have_the_loss_and_the_gradient_of_the_whole():
    first, second = map(tf.constant, views())
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([first, second])
        whole = nt_xent(first, second, 0.3)
        parts = [
            nt_xent(first[i : i + 2], second[i : i + 2], 0.3, first, second, first_row=i)
            for i in (0, 2, 4)
        ]
        mean = tf.add_n(parts) / 3
    np.testing.assert_allclose(mean, whole, rtol=1e-5)
    for view in (first, second):
        np.testing.assert_allclose(tape.gradient(mean, view), tape.gradient(whole, view), atol=1e-6)


def test_gradient_is_finite_for_equal_and_for_zero_rows():
    rows = tf.Variable(np.concatenate([np.ones((3, 4)), np.zeros((1, 4))]).astype("float32"))
    with tf.GradientTape() as tape:
        loss = nt_xent(rows, rows, 0.1)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, rows)).all()


def test_objective_is_the_loss_of_its_projections():
    objective = build(small())
    rng = np.random.default_rng(0)
    features = [{"features": rng.normal(size=(5, 8)).astype("float32")} for _ in range(2)]
    student = objective.student_embeddings(features)
    gathered = objective.to_gather(student, {})
    loss, _, metrics = objective.compute_loss(student, {}, gathered, 0, 0)
    z = student["projections"].numpy()
    np.testing.assert_allclose(loss, slow_loss(z[:, 0], z[:, 1], 0.5), rtol=1e-5)
    assert set(metrics) == set(objective.metric_names)
    # Batch statistics are those of both views together, as in the paper's code.
    np.testing.assert_allclose(z.mean(axis=(0, 1)), np.zeros(6), atol=1e-5)


def test_defaults_are_the_papers():
    objective = objectives.SimCLR()
    objective.build({"features": (None, 2048)})
    assert [dense.units for dense in objective.projector.dense_layers] == [2048, 128]
    assert objective.temperature == 0.1


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="temperature"):
        objectives.SimCLR(temperature=-0.1)
