"""EsViT's region loss, centers and switch, against the official numbers and the definition."""

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import objectives, optimizers
from keras_adasim.objectives.dino import cross_view_loss, update_center
from keras_adasim.objectives.esvit import region_loss
from tests.models import tiny
from tests.models.test_exchange import small_cnn
from tests.objectives.test_dino import softmax


def small():
    """For the tests of every objective."""
    return objectives.EsViT(
        out_dim=24, hidden_dim=16, bottleneck_dim=8, region_weight=0.3, region_start_step=1
    )


def slow_loss(
    student_logits, student_features, teacher_logits, teacher_features, center, student_t, teacher_t
):
    """The definition, pair by pair, image by image and region by region, in float64."""
    pairs = []
    for a in range(2):
        for v in range(len(student_logits)):
            if v == a:
                continue
            terms = []
            for image, regions in enumerate(student_logits[v]):
                candidates = teacher_features[a][image]
                candidates = candidates / np.linalg.norm(candidates, axis=1, keepdims=True)
                for region, logits in enumerate(regions):
                    best = np.argmax(candidates @ student_features[v][image][region])
                    target = teacher_logits[a][image][best].astype("float64") - center
                    p = softmax(logits.astype("float64") / student_t)
                    terms.append(-(softmax(target / teacher_t) * np.log(p)).sum())
            pairs.append(np.mean(terms))
    return np.mean(pairs)


def test_equals_the_definition():
    rng = np.random.default_rng(0)
    # Views of three sizes: 4, 4, 2 and 5 regions.
    student = [
        [rng.normal(size=(3, regions, size)).astype("float32") for regions in (4, 4, 2, 5)]
        for size in (7, 6)
    ]
    teacher = [
        [rng.normal(size=(3, 4, size)).astype("float32") for _ in range(2)] for size in (7, 6)
    ]
    center = rng.normal(size=7).astype("float32")
    arguments = (*student, *teacher, center, 0.2, 0.05)
    np.testing.assert_allclose(region_loss(*arguments), slow_loss(*arguments), rtol=1e-5)


def region_views(rows, sizes, batch):
    """Crop-major rows to one `(B, R, ...)` array per view."""
    bounds = np.cumsum([batch * size for size in sizes])[:-1]
    return [
        tf.reshape(part, (batch, size, -1))
        for part, size in zip(np.split(rows, bounds), sizes, strict=True)
    ]


def embeddings(arrays, scalars, step, who, num_views):
    """What an objective's `student_embeddings` or `teacher_embeddings` returns."""
    batch = scalars["batch"]
    sizes = [scalars["regions_global"]] * 2 + [scalars["regions_local"]] * (num_views - 2)
    logits = arrays[f"{who}_view_logits"][step]
    return {
        "logits": tf.reshape(logits, (num_views, batch, -1)),
        "region_logits": region_views(arrays[f"{who}_region_logits"][step], sizes, batch),
        "region_features": region_views(arrays[f"{who}_region_features"][step], sizes, batch),
    }


def test_loss_gradients_and_both_centers_equal_the_official_ones(golden):
    arrays, scalars = golden("esvit_region_loss")
    temperatures = arrays["teacher_temperature_by_epoch"]
    num_views = 2 + scalars["local_crops"]
    view_center = tf.constant(arrays["view_center_before_and_after"][0])
    region_center = tf.constant(arrays["region_center_before_and_after"][0])
    for step, epoch in enumerate(arrays["epoch_of_step"]):
        student = embeddings(arrays, scalars, step, "student", num_views)
        teacher = embeddings(arrays, scalars, step, "teacher", 2)
        both = (scalars["student_temperature"], temperatures[epoch])
        with tf.GradientTape() as tape:
            tape.watch([student["logits"], student["region_logits"]])
            view = cross_view_loss(student["logits"], teacher["logits"], view_center, *both)
            region = region_loss(
                student["region_logits"],
                student["region_features"],
                teacher["region_logits"],
                teacher["region_features"],
                region_center,
                *both,
            )
            loss = 0.5 * view + 0.5 * region
        np.testing.assert_allclose(view, arrays["view_term"][step], atol=1e-5)
        np.testing.assert_allclose(region, arrays["region_term"][step], atol=1e-5)
        np.testing.assert_allclose(loss, arrays["loss"][step], atol=1e-5)
        gradients = tape.gradient(loss, [student["logits"], student["region_logits"]])
        for gradient, name in (
            (tf.reshape(gradients[0], (-1, scalars["out_dim"])), "view"),
            (
                tf.concat([tf.reshape(g, (-1, scalars["out_dim"])) for g in gradients[1]], 0),
                "region",
            ),
        ):
            expected = arrays[f"student_{name}_logit_gradient"][step]
            np.testing.assert_allclose(gradient, expected, atol=1e-5)
        view_center = update_center(view_center, teacher["logits"], 0.9)
        region_center = update_center(region_center, tf.stack(teacher["region_logits"]), 0.9)
        for center, name in ((view_center, "view"), (region_center, "region")):
            expected = arrays[f"{name}_center_before_and_after"][step + 1]
            np.testing.assert_allclose(center, expected, atol=1e-5)


def test_objective_equals_the_official_one(golden):
    arrays, scalars = golden("esvit_region_loss")
    temperatures = arrays["teacher_temperature_by_epoch"][arrays["epoch_of_step"]]
    objective = build(16, teacher_temperature=float(temperatures[0]), region_weight=0.5)
    objective.center.assign(arrays["view_center_before_and_after"][0])
    objective.region_center.assign(arrays["region_center_before_and_after"][0])
    student = embeddings(arrays, scalars, 0, "student", 4)
    teacher = embeddings(arrays, scalars, 0, "teacher", 2)
    loss, statistics, metrics = objective.compute_loss(student, teacher, {}, 0, 0)
    np.testing.assert_allclose(loss, arrays["loss"][0], atol=1e-5)
    np.testing.assert_allclose(metrics["view_loss"], arrays["view_term"][0], atol=1e-5)
    np.testing.assert_allclose(metrics["region_loss"], arrays["region_term"][0], atol=1e-5)
    assert set(metrics) == set(objective.metric_names)
    objective.update(statistics, {}, 0)
    for center, name in ((objective.center, "view"), (objective.region_center, "region")):
        expected = arrays[f"{name}_center_before_and_after"][1]
        np.testing.assert_allclose(center.numpy(), expected, atol=1e-5)


def build(out_dim=16, **kwargs):
    objective = objectives.EsViT(out_dim, hidden_dim=12, bottleneck_dim=6, **kwargs)
    objective.build({"features": (None, 8), "tokens": (None, 4, 8)})
    return objective


def views(*regions, batch=3):
    rng = np.random.default_rng(0)
    return [
        {
            "features": rng.normal(size=(batch, 8)).astype("float32"),
            "tokens": rng.normal(size=(batch, count, 8)).astype("float32"),
        }
        for count in regions
    ]


def test_regions_keep_their_places():
    objective = build()
    crops = views(4, 4, 2)
    student = objective.student_embeddings(crops)
    assert student["logits"].shape == (3, 3, 16)
    for crop, logits, features in zip(
        crops, student["region_logits"], student["region_features"], strict=True
    ):
        expected = [objective.student_region_head(image) for image in crop["tokens"]]
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        np.testing.assert_array_equal(features, crop["tokens"])


def test_region_loss_is_switched_on_at_its_step():
    objective = build(region_start_step=3, region_weight=0.25)
    crops = views(4, 4)
    embeddings = objective.student_embeddings(crops), objective.teacher_embeddings(crops)
    for step in (0, 2, 3, 9):
        step = tf.constant(step, tf.int64)
        loss, _, metrics = objective.compute_loss(*embeddings, {}, 0, step)
        weight = 0.25 if step >= 3 else 0.0
        expected = (1 - weight) * metrics["view_loss"] + weight * metrics["region_loss"]
        np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_the_region_head_is_left_alone_before_its_step():
    """A gradient of zero alone would leave it to AdamW's weight decay."""
    objective = build(region_start_step=1)
    model = tiny.model(small_cnn(None), objective)
    model.compile(optimizers.AdamW(0.01, 0.5), run_eagerly=True)
    head = objective.student_region_head.trainable_variables
    before = [v.numpy().copy() for v in head]
    tiny.train(model, steps=1)
    for old, variable in zip(before, head, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    tiny.train(model, steps=1)
    for old, variable in zip(before, head, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0, variable.path


@pytest.mark.parametrize(("freeze", "start"), [(0, 0), (2, 0), (0, 3), (2, 3), (3, 2)])
def test_last_layers_are_frozen_as_dinos(freeze, start):
    objective = build(freeze_last_layer_steps=freeze, region_start_step=start)
    heads = objective.student_head, objective.student_region_head
    for step in range(5):
        groups = objective.frozen(tf.constant(step, tf.int64))
        frozen = {id(v) for variables, condition in groups if condition for v in variables}
        for head, first, last in ((heads[0], 0, freeze), (heads[1], start, max(start, freeze))):
            for variable in head.trainable_variables:
                is_last = "weight_v" in variable.name
                assert (id(variable) in frozen) == (step < (last if is_last else first))


def test_a_backbone_without_tokens_is_refused():
    for shapes in ({"features": (None, 8)}, {"features": (None, 8), "tokens": None}):
        with pytest.raises(ValueError, match="gives tokens"):
            objectives.EsViT(16).build(shapes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"region_weight": 0.0}, "region_weight"),
        ({"region_weight": 1.5}, "region_weight"),
        ({"region_start_step": -1}, "region_start_step"),
        ({"teacher_temperature": 0}, "teacher_temperature"),
    ],
)
def test_wrong_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        objectives.EsViT(8, **arguments)


def test_wrong_numbers_of_views_are_named():
    one, two = [tf.zeros((2, 3, 4))], [tf.zeros((2, 3, 4))] * 2
    for student, teacher in ((one, two), (two, one)):
        with pytest.raises(ValueError, match=r"`\w+_logits` to be a list of .* of \d"):
            region_loss(student, student, teacher, teacher, tf.zeros(4), 0.1, 0.04)
