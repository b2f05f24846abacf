"""DINO's loss, center and gradients, against the official ones and a slow oracle."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import objectives, optimizers
from keras_adasim.objectives.dino import cross_view_loss, update_center


def small():
    """For the tests of every objective."""
    return objectives.DINO(out_dim=24, hidden_dim=16, bottleneck_dim=8)


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def slow_loss(student, teacher, center, student_temperature, teacher_temperature):
    """The definition, pair by pair and image by image, in float64."""
    terms = []
    for a in range(2):
        for v in range(len(student)):
            if v == a:
                continue
            for row, target in zip(student[v], teacher[a], strict=True):
                q = softmax((target.astype("float64") - center) / teacher_temperature)
                p = softmax(row.astype("float64") / student_temperature)
                terms.append(-(q * np.log(p)).sum())
    return np.mean(terms)


@pytest.mark.parametrize("num_views", [2, 5])
def test_equals_the_definition(num_views):
    rng = np.random.default_rng(0)
    student = rng.normal(size=(num_views, 3, 7)).astype("float32")
    teacher = rng.normal(size=(2, 3, 7)).astype("float32")
    center = rng.normal(size=7).astype("float32")
    loss = cross_view_loss(student, teacher, center, 0.2, 0.05)
    np.testing.assert_allclose(loss, slow_loss(student, teacher, center, 0.2, 0.05), rtol=1e-5)


@pytest.mark.parametrize(("kind", "num_views"), [("adasim", 2), ("dino", 8)])
def test_loss_gradient_and_center_equal_the_official_ones(golden, kind, num_views):
    arrays, _ = golden("dino_loss")
    centers = arrays[f"{kind}/center_before_and_after"]
    center = tf.constant(centers[0])
    temperatures = arrays["teacher_temperature_by_epoch_float64"]
    for step, epoch in enumerate(arrays["epoch_of_step"]):
        student = tf.constant(arrays[f"{kind}/student_logits"][step])
        teacher = tf.constant(arrays[f"{kind}/teacher_logits"][step])
        views = tf.reshape(student, (num_views, -1, 32)), tf.reshape(teacher, (2, -1, 32))
        with tf.GradientTape() as tape:
            tape.watch(student)
            views = tf.reshape(student, (num_views, -1, 32)), tf.reshape(teacher, (2, -1, 32))
            loss = cross_view_loss(*views, center, 0.1, temperatures[epoch])
        np.testing.assert_allclose(loss, arrays[f"{kind}/loss"][step], atol=1e-5)
        np.testing.assert_allclose(
            tape.gradient(loss, student), arrays[f"{kind}/student_logit_gradient"][step], atol=1e-5
        )
        center = update_center(center, views[1], 0.9)
        np.testing.assert_allclose(center, centers[step + 1], atol=1e-5)


def test_no_gradient_reaches_the_teacher():
    student, teacher = keras.random.normal((2, 3, 4)), keras.random.normal((2, 3, 4))
    with tf.GradientTape() as tape:
        tape.watch(teacher)
        loss = cross_view_loss(student, teacher, tf.zeros(4), 0.1, 0.04)
    assert tape.gradient(loss, teacher) is None


def build(**kwargs):
    objective = objectives.DINO(16, hidden_dim=12, bottleneck_dim=6, **kwargs)
    objective.build({"features": (None, 8), "tokens": (None, 4, 8)})
    return objective


def test_objective_gives_loss_statistics_and_watchers():
    objective = build(teacher_temperature=0.05)
    views = [{"features": keras.random.normal((4, 8))} for _ in range(4)]
    student = objective.student_embeddings(views)
    teacher = objective.teacher_embeddings(views[:2])
    assert student["logits"].shape == (4, 4, 16)
    loss, statistics, metrics = objective.compute_loss(student, teacher, {}, 0, tf.constant(0))
    expected = slow_loss(
        student["logits"].numpy(), teacher["logits"].numpy(), np.zeros(16), 0.1, 0.05
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    np.testing.assert_allclose(
        statistics["center"], teacher["logits"].numpy().mean(axis=(0, 1)), atol=1e-6
    )
    probabilities = softmax(teacher["logits"].numpy().astype("float64") / 0.05)
    entropy = -(probabilities * np.log(probabilities)).sum(-1).mean()
    np.testing.assert_allclose(metrics["teacher_entropy"], entropy, rtol=1e-4)
    mean = probabilities.mean(axis=(0, 1))
    np.testing.assert_allclose(
        metrics["teacher_mean_entropy"], -(mean * np.log(mean)).sum(), rtol=1e-4
    )
    objective.update(statistics, {}, 0)
    np.testing.assert_allclose(
        objective.center.numpy(), 0.1 * np.array(statistics["center"]), atol=1e-6
    )


def test_teacher_temperature_follows_its_schedule():
    schedule = optimizers.EpochWarmup(0.04, 0.07, warmup_epochs=3, steps_per_epoch=2)
    objective = build(teacher_temperature=schedule)
    views = [{"features": keras.random.normal((4, 8))} for _ in range(2)]
    embeddings = objective.student_embeddings(views), objective.teacher_embeddings(views)
    losses = [
        float(objective.compute_loss(*embeddings, {}, 0, tf.constant(step, tf.int64))[0])
        for step in range(8)
    ]
    assert losses[0] == losses[1] != losses[2] == losses[3] != losses[4] == losses[7]


def test_config_round_trip():
    schedule = optimizers.EpochWarmup(0.04, 0.07, 3, 2)
    objective = build(
        teacher_temperature=schedule,
        norm_last_layer=False,
        use_bn=True,
        num_layers=2,
        student_temperature=0.2,
        center_momentum=0.5,
        freeze_last_layer_steps=3,
    )
    config = keras.saving.serialize_keras_object(objective)
    twin = keras.saving.deserialize_keras_object(config)
    assert twin.get_config() == objective.get_config()
    assert twin.teacher_temperature(3) == schedule(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"teacher_temperature": 0}, "teacher_temperature"),
        ({"student_temperature": -1.0}, "student_temperature"),
        ({"center_momentum": 1.5}, "center_momentum"),
    ],
)
def test_wrong_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        objectives.DINO(8, **arguments)


def test_wrong_numbers_of_views_are_named():
    with pytest.raises(ValueError, match="two views"):
        cross_view_loss(tf.zeros((1, 2, 3)), tf.zeros((2, 2, 3)), tf.zeros(3), 0.1, 0.04)
