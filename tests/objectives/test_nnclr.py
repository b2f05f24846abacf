"""NNCLR's loss, queue and objective, against solo-learn's numbers and the definition."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import objectives, optimizers
from keras_adasim.objectives.nnclr import contrastive_loss
from tests.models import tiny
from tests.models.test_exchange import small_cnn
from tests.objectives.tiny import build


def small():
    """For the tests of every objective."""
    return objectives.NNCLR(
        out_dim=6,
        hidden_dim=12,
        num_layers=2,
        predictor_hidden_dim=10,
        queue_size=19,
        temperature=0.5,
        seed=4,
    )


def unit(x):
    return x.astype("float64") / np.linalg.norm(x, axis=-1, keepdims=True)


def slow_loss(neighbor, prediction, temperature):
    """The definition, neighbor by neighbor, in float64."""
    terms = []
    for i, row in enumerate(unit(neighbor)):
        logits = unit(prediction) @ row / temperature
        terms.append(np.log(np.exp(logits).sum()) - logits[i])
    return np.mean(terms)


def test_the_whole_sequence_equals_the_references(golden):
    """Losses, gradients at the predictions and the queue, over steps, through the objective."""
    arrays, scalars = golden("ssl_losses")
    objective = objectives.NNCLR(
        scalars["dim"],
        8,
        queue_size=scalars["queue_size"],
        temperature=scalars["nnclr_temperature"],
    )
    objective.queue.rows.assign(arrays["nnclr/queue_initial"])
    for step, total in enumerate(arrays["nnclr/loss_total"]):
        student = {
            name: tf.stack([arrays[f"nnclr/{kind}_view_{v}"][step] for v in (1, 2)], axis=1)
            for name, kind in (("projections", "projection"), ("predictions", "prediction"))
        }
        with tf.GradientTape() as tape:
            tape.watch(student)
            gathered = objective.to_gather(student, {})
            loss, _, _ = objective.compute_loss(student, {}, gathered, 0, step)
        np.testing.assert_allclose(loss, total, atol=1e-5)
        gradients = tape.gradient(loss, student)
        assert gradients["projections"] is None
        for view in (1, 2):
            np.testing.assert_allclose(
                gradients["predictions"][:, view - 1],
                arrays[f"nnclr/gradient_prediction_view_{view}"][step],
                atol=1e-5,
            )
        objective.update({}, gathered, step)
        np.testing.assert_allclose(
            objective.queue.rows.numpy(), arrays["nnclr/queue_after_step"][step], atol=1e-5
        )


@pytest.mark.parametrize("direction", [(1, 2), (2, 1)])
def test_one_direction_equals_the_reference(golden, direction):
    arrays, scalars = golden("ssl_losses")
    neighbor, prediction = direction
    rows = arrays["nnclr/queue_initial"]
    for step, expected in enumerate(
        arrays[f"nnclr/loss_neighbor{neighbor}_prediction{prediction}"]
    ):
        places = arrays[f"nnclr/nearest_queue_row_of_projection_{neighbor}"][step]
        predictions = arrays[f"nnclr/prediction_view_{prediction}"][step]
        loss = contrastive_loss(rows[places], predictions, scalars["nnclr_temperature"])
        np.testing.assert_allclose(loss, expected, atol=1e-5)
        np.testing.assert_allclose(slow_loss(rows[places], predictions, 0.1), expected, atol=1e-5)
        rows = arrays["nnclr/queue_after_step"][step]


def test_parts_of_the_batch_average_to_the_whole():
    rng = np.random.default_rng(0)
    neighbor, prediction = (rng.normal(size=(6, 4)).astype("float32") for _ in range(2))
    parts = [contrastive_loss(neighbor[i : i + 2], prediction, 0.3, i) for i in (0, 2, 4)]
    np.testing.assert_allclose(np.mean(parts), slow_loss(neighbor, prediction, 0.3), rtol=1e-5)


def test_no_gradient_reaches_the_neighbor():
    neighbor, prediction = keras.random.normal((3, 4)), keras.random.normal((3, 4))
    with tf.GradientTape() as tape:
        tape.watch([neighbor, prediction])
        loss = contrastive_loss(neighbor, prediction, 0.1)
    gradients = tape.gradient(loss, [neighbor, prediction])
    assert gradients[0] is None
    assert np.abs(gradients[1]).max() > 0


def test_metrics_tell_how_near_the_neighbors_are():
    objective = build(small())
    rows = objective.queue.rows.numpy()[[3, 1, 7]]
    student = {name: tf.constant(np.stack([rows, rows], 1)) for name in ("projections",)}
    student["predictions"] = student["projections"]
    gathered = objective.to_gather(student, {})
    metrics = objective.compute_loss(student, {}, gathered, 0, 0)[2]
    assert set(metrics) == set(objective.metric_names)
    np.testing.assert_allclose(metrics["neighbor_similarity"], 1.0, atol=1e-5)
    assert metrics["contrast_accuracy"] == 1.0


@pytest.mark.parametrize("parts", [1, 2])
def test_one_step_enqueues_its_whole_batch_once(parts):
    model = tiny.model(small_cnn(None), build(small()))
    model.compile(optimizers.SGD(0.02), run_eagerly=True, gradient_accumulation_steps=parts)
    before = model.objective.queue.rows.numpy()
    tiny.train(model, steps=2)
    after = model.objective.queue.rows.numpy()
    assert int(model.objective.queue.pointer.numpy()) == 16
    changed = np.abs(after - before).max(axis=1) > 0
    np.testing.assert_array_equal(changed, np.arange(19) < 16)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), np.ones(19), atol=1e-5)


def test_defaults_are_the_papers():
    objective = objectives.NNCLR()
    objective.build({"features": (None, 2048)})
    assert [dense.units for dense in objective.projector.dense_layers] == [2048, 2048, 256]
    assert [dense.units for dense in objective.predictor.dense_layers] == [4096, 256]
    assert len(objective.projector.batch_norms) == 3
    assert objective.queue.rows.shape == (98304, 256)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="temperature"):
        objectives.NNCLR(6, 12, queue_size=8, temperature=0.0)
    with pytest.raises(ValueError, match="`queue_size`"):
        objectives.NNCLR(6, 12, queue_size=0)


def test_a_global_batch_larger_than_the_queue_is_refused():
    objective = build(small())
    objective.check_batch(19)
    with pytest.raises(ValueError, match=r"`queue_size` of at least 20.* Received: queue_size=19"):
        objective.check_batch(20)
