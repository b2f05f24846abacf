"""MoCo-v3's loss and objective, against the official numbers and the definition."""

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import objectives, optimizers
from keras_adasim.objectives.moco_v3 import contrastive_loss
from tests.models import tiny
from tests.objectives.tiny import build


def small():
    """For the tests of every objective."""
    return objectives.MoCoV3(
        out_dim=6, hidden_dim=12, num_layers=2, predictor_last_norm="none", temperature=0.5
    )


def slow_loss(query, key, temperature, first_row=0):
    """The definition, query by query, in float64, with the factor 2T."""
    terms = []
    key = key.astype("float64") / np.linalg.norm(key, axis=1, keepdims=True)
    for i, q in enumerate(query.astype("float64")):
        logits = key @ (q / np.linalg.norm(q)) / temperature
        terms.append(np.log(np.exp(logits).sum()) - logits[first_row + i])
    return 2 * temperature * np.mean(terms)


def test_loss_and_gradients_equal_the_official_ones(golden):
    arrays, scalars = golden("ssl_losses")
    queries = [tf.constant(arrays[f"prediction_view_{v}"]) for v in (1, 2)]
    keys = [tf.constant(arrays[f"target_view_{v}"]) for v in (1, 2)]
    temperature = scalars["mocov3_temperature"]
    with tf.GradientTape() as tape:
        tape.watch([*queries, *keys])
        losses = [contrastive_loss(queries[i], keys[1 - i], temperature) for i in range(2)]
        total = losses[0] + losses[1]
    np.testing.assert_allclose(losses[0], scalars["mocov3_q1_k2"], atol=1e-5)
    np.testing.assert_allclose(losses[1], scalars["mocov3_q2_k1"], atol=1e-5)
    np.testing.assert_allclose(total, scalars["mocov3_total_sum"], atol=1e-5)
    gradients = tape.gradient(total, [*queries, *keys])
    for view in (1, 2):
        expected = arrays[f"mocov3/gradient_query_view_{view}"]
        np.testing.assert_allclose(gradients[view - 1], expected, atol=1e-5)
    assert gradients[2:] == [None, None]


def test_parts_of_the_batch_average_to_the_whole():
    rng = np.random.default_rng(0)
    query, key = (rng.normal(size=(6, 4)).astype("float32") for _ in range(2))
    whole = contrastive_loss(query, key, 0.3)
    parts = [contrastive_loss(query[i : i + 2], key, 0.3, first_row=i) for i in (0, 2, 4)]
    np.testing.assert_allclose(np.mean(parts), whole, rtol=1e-5)
    for i, part in zip((0, 2, 4), parts, strict=True):
        np.testing.assert_allclose(part, slow_loss(query[i : i + 2], key, 0.3, i), rtol=1e-5)


def test_objective_sums_both_directions():
    objective = build(small())
    rng = np.random.default_rng(0)
    views = [{"features": rng.normal(size=(5, 8)).astype("float32")} for _ in range(2)]
    student = objective.student_embeddings(views)
    teacher = objective.teacher_embeddings(views)
    gathered = objective.to_gather(student, teacher)
    loss, _, metrics = objective.compute_loss(student, teacher, gathered, 0, 0)
    q, k = student["queries"].numpy(), teacher["keys"].numpy()
    expected = slow_loss(q[:, 0], k[:, 1], 0.5) + slow_loss(q[:, 1], k[:, 0], 0.5)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert set(metrics) == set(objective.metric_names)


def test_accuracy_is_the_share_of_keys_found():
    objective = build(small())
    keys = tf.constant(np.eye(6, dtype="float32")[:, np.newaxis].repeat(2, axis=1))
    for order, expected in (((0, 1, 2, 3, 4, 5), 1.0), ((0, 1, 2, 4, 5, 3), 0.5)):
        student = {"queries": tf.gather(keys, order)}
        gathered = {"keys": keys}
        metrics = objective.compute_loss(student, gathered, gathered, 0, 0)[2]
        assert metrics["contrast_accuracy"] == expected


def test_the_patch_embedding_of_a_transformer_stays_as_it_is():
    backbone = tiny.vit()
    model = tiny.model(backbone, build(small(), 16))
    model.compile(optimizers.AdamW(1e-2, 0.1), run_eagerly=True)
    frozen = [v.numpy().copy() for v in backbone.patch_embedding.weights]
    others = [v.numpy().copy() for v in model.trainable_variables]
    tiny.train(model, steps=2)
    for old, variable in zip(frozen, backbone.patch_embedding.weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    for old, variable in zip(frozen, model.teacher.patch_embedding.weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), old, atol=1e-6)
    for old, variable in zip(others, model.trainable_variables, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0, variable.path


def test_the_patch_embedding_can_be_trained():
    objective = objectives.MoCoV3(6, 12, freezes_patch_embedding=False)
    model = tiny.model(tiny.vit(), objective)
    names = [variable.path for variable in model.trainable_variables]
    assert any("patch_embedding" in name for name in names)


def test_defaults_are_those_for_vision_transformers():
    objective = objectives.MoCoV3()
    objective.build({"features": (None, 384)})
    assert [dense.units for dense in objective.projector.dense_layers] == [4096, 4096, 256]
    assert [dense.units for dense in objective.predictor.dense_layers] == [4096, 256]
    for head, scales in ((objective.projector, [True, True, False]), (objective.predictor, [1, 0])):
        assert [norm.scale for norm in head.batch_norms] == scales
        assert not any(dense.use_bias for dense in head.dense_layers)


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="temperature"):
        objectives.MoCoV3(temperature=0)
    with pytest.raises(ValueError, match="last_norm"):
        objectives.MoCoV3(predictor_last_norm="batch")
