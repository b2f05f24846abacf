"""The training step: one device or two, compiled or inline, every precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import (
    SelfDistillation,
    backbones,
    data,
    layers,
    objectives,
    optimizers,
    pairing,
)
from keras_adasim.augment import DINOAugment, MultiCrop
from tests.models import tiny
from tests.models.test_exchange import small_cnn


@pytest.fixture(scope="module")
def untrained():
    """A model for tests that change nothing in it."""
    return tiny.model()


def with_schedules(backbone, **kwargs):
    """A model with everything in it that changes from step to step."""
    keras.utils.set_random_seed(1)
    rate = optimizers.WarmupCosine(0.1, 0.0, 10)
    return tiny.model(
        backbone(), optimizer=optimizers.SGD(rate, 0.01, clipnorm=0.3), num_local=1, **kwargs
    )


def cnn():
    return small_cnn(None)


@pytest.mark.parametrize(
    ("backbone", "ways"),
    [
        pytest.param(tiny.vit, [(1, True), (2, False)], id="vit"),
        pytest.param(cnn, [(2, True)], id="cnn", marks=pytest.mark.large),
    ],
)
def test_replicas_and_compilation_change_nothing(two_replicas, backbone, ways):
    one = with_schedules(backbone)
    tiny.train(one)
    assert np.abs(one.bank.features.numpy()).sum() > 0
    for replicas, jit_compile in ways:
        strategy = two_replicas if replicas == 2 else tf.distribute.get_strategy()
        with strategy.scope():
            model = with_schedules(backbone, jit_compile=jit_compile)
        tiny.train(model)
        tiny.assert_states_equal(tiny.state(one), tiny.state(model), 1e-5)
        tiny.assert_copies_equal(model)
        np.testing.assert_array_equal(one.bank.ids.numpy(), model.bank.ids.numpy())


def test_every_student_variable_moves_and_the_teacher_follows():
    model = tiny.model()
    before = [v.numpy().copy() for v in model.trainable_variables]
    teacher_before = [v.numpy().copy() for v in model.teacher.weights]
    tiny.train(model, steps=1)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0, variable.path
    momentum = float(model.momentum(0))
    for old, teacher, student in zip(
        teacher_before, model.teacher.weights, model.student.weights, strict=True
    ):
        expected = momentum * old + (1 - momentum) * student.numpy()
        np.testing.assert_allclose(teacher.numpy(), expected, atol=1e-6)
    assert int(model.optimizer.iterations.numpy()) == 1


@pytest.mark.slow
def test_temperature_zero_equals_self_pairing():
    """Same draws, same order: the partner of every image is itself in both."""
    adaptive = pairing.AdaptiveWindow(tiny.NUM_IMAGES, window=1, topk=4, temperature=0.0)
    models = [tiny.model(pairs=adaptive), tiny.model(pairs=pairing.SelfPairing())]
    for model in models:
        model.fit(tiny.dataset(model, 32), epochs=3, verbose=0)
    assert adaptive.distribution(np.arange(tiny.NUM_IMAGES))[2].any()
    tiny.assert_states_equal(tiny.state(models[0]), tiny.state(models[1]), 0.0)


@pytest.mark.slow
def test_window_opens_after_w_epochs_and_partners_change():
    augment = DINOAugment(
        MultiCrop(tiny.SIZE, (1.0, 1.0), ratio=(1.0, 1.0)), first=[], second=[], local=[]
    )
    model = tiny.model(optimizer=optimizers.SGD(0.0), augment=augment)
    everyone = np.arange(tiny.NUM_IMAGES)
    for epoch in range(4):
        gate = model.pairing.distribution(everyone)[2]
        assert gate.any() == (epoch >= 2)
        if epoch < 2:
            np.testing.assert_array_equal(model.pairing.partners(everyone), everyone)
        model.fit(tiny.dataset(model, 32), initial_epoch=epoch, epochs=epoch + 1, verbose=0)


@pytest.mark.parametrize("feature", ["first", "second", "mean"])
def test_neighbor_feature_decides_what_the_bank_keeps(feature):
    model = tiny.model(neighbor_feature=feature, optimizer=optimizers.SGD(0.0))
    batch = next(iter(tiny.dataset(model)))
    views = model.augment(batch, tf.constant(0, tf.int64))
    both = [keras.utils.normalize(model.teacher(view)["features"].numpy()) for view in views]
    expected = {"first": both[0], "second": both[1], "mean": keras.utils.normalize(sum(both))}
    tiny.train(model, steps=1)
    stored = model.bank.features.numpy()[np.array(batch["indices"])]
    np.testing.assert_allclose(stored, expected[feature], atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.large)])
def test_mixed_precision_trains_and_keeps_float32_state(policy, jit_compile):
    keras.mixed_precision.set_global_policy(policy)
    model = tiny.model(cnn() if jit_compile else tiny.vit(), jit_compile=jit_compile)
    history = tiny.train(model)
    assert np.isfinite(history["loss"]).all()
    for variable in (model.bank.features, model.bank.similarities, model.objective.center):
        assert variable.dtype == "float32"
    assert (model.loss_scale is not None) == (policy == "mixed_float16")


def test_last_layer_is_frozen_for_the_first_steps():
    objective = tiny.dino(freeze_last_layer_steps=2, norm_last_layer=False)
    model = tiny.model(objective=objective, optimizer=optimizers.AdamW(0.01, 0.1))
    last = objective.student_head.last_layer_variables
    assert len(last) == 2
    before = [v.numpy().copy() for v in last]
    tiny.train(model, steps=2)
    for old, variable in zip(before, last, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    tiny.train(model, steps=1)
    for old, variable in zip(before, last, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0


def test_drop_path_is_the_students_alone():
    model = tiny.model(backbone=tiny.vit(depth=2, drop_path_rate=0.5))
    rates = lambda backbone: [  # noqa: E731
        layer.rate for layer in backbone._flatten_layers() if hasattr(layer, "rate")
    ]
    assert max(rates(model.student)) == 0.5
    assert max(rates(model.teacher), default=0) == 0


def test_logs_have_the_loss_and_the_watchers():
    history = tiny.train(tiny.model())
    assert set(history) - {"teacher_entropy", "teacher_mean_entropy"} == {
        "loss",
        "feature_std",
        "skipped_steps",
    }
    assert history["loss"][0] > 0
    assert 0 < history["feature_std"][0] < 2


def test_embed_is_the_teacher_on_prepared_images(untrained):
    images = tiny.images()
    features = untrained.embed(images, batch_size=10)
    assert features.shape == (tiny.NUM_IMAGES, 16)
    np.testing.assert_allclose(untrained.embed(images.astype("float32") / 255), features, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neighbor_feature": "third"}, "neighbor_feature"),
        ({"bank": None}, "bank=None"),
        ({"bank": lambda: layers.NeighborBank(32, 8, 4)}, "feature_dim"),
        ({"bank": lambda: layers.NeighborBank(31, 16, 4)}, "num_images"),
        ({"bank": lambda: layers.NeighborBank(32, 16, 5)}, "topk"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    change = {name: value() if callable(value) else value for name, value in change.items()}
    with pytest.raises(ValueError, match=message):
        tiny.model(**change)


def test_pairings_without_neighbors_need_no_bank():
    for pairs in (pairing.SelfPairing(), pairing.LabelOracle(np.arange(32) % 4)):
        model = tiny.model(pairs=pairs, bank=None)
        model.fit(tiny.dataset(model, 32), epochs=1, verbose=0)
        assert model.bank is None


def test_foreign_data_sets_and_optimizers_are_refused(untrained):
    with pytest.raises(ValueError, match="another pairing"):
        untrained.fit(tiny.dataset(tiny.model()), verbose=0)
    with pytest.raises(ValueError, match=r"keras_adasim\.optimizers"):
        untrained.compile(keras.optimizers.Adam())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps_per_epoch": 2}, "steps_per_epoch"),
        ({"validation_data": np.zeros(3)}, "OnlineKNN"),
        ({"class_weight": {0: 1.0}}, "neither `class_weight` nor `sample_weight`"),
        ({"sample_weight": np.ones(3)}, "neither `class_weight` nor `sample_weight`"),
    ],
)
def test_arguments_that_would_break_an_epoch_are_refused(untrained, arguments, message):
    with pytest.raises(ValueError, match=message):
        untrained.fit(tiny.dataset(untrained), verbose=0, **arguments)


def test_other_data_than_pairs_is_refused(untrained):
    for x in (tiny.images(), tf.data.Dataset.from_tensors(tiny.images())):
        with pytest.raises(ValueError, match="PairDataset"):
            untrained.fit(x, verbose=0)


def test_crops_of_data_set_and_model_must_agree(untrained):
    """Crops of another size were trained on without a word."""
    with pytest.raises(ValueError, match="same `crops`"):
        untrained.fit(tiny.dataset(untrained, crops=MultiCrop(4)), verbose=0)


def test_what_is_no_backbone_or_objective_is_named():
    with pytest.raises(ValueError, match=r"backbones\.adapt"):
        SelfDistillation(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), tiny.dino())
    with pytest.raises(ValueError, match="objective"):
        SelfDistillation(tiny.vit(), "dino")


def test_views_that_do_not_fit_are_refused_when_the_model_is_built():
    """They used to be refused in the first step, after the data had been read."""
    with pytest.raises(
        ValueError, match=r"`num_local`=0: BYOL compares two global views.*num_local=2"
    ):
        tiny.model(objective=objectives.BYOL(6, 12), num_local=2)
    with pytest.raises(ValueError, match=r"4 channels.*augment\.channels=3"):
        tiny.model(tiny.vit(channels=4))
    images = keras.Input((8, 8, 3))
    fixed = keras.Model(images, keras.layers.Conv2D(16, 4, strides=4)(images))
    with pytest.raises(ValueError, match=r"8 x 8 pixels alone.*num_local=0"):
        tiny.model(backbones.adapt(fixed), num_local=1)


def test_a_backbone_that_does_not_tell_its_size_needs_an_augmentation():
    images = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(8, 3)(images)
    backbone = keras.Model(images, {"features": keras.layers.GlobalAveragePooling2D()(maps)})
    with pytest.raises(ValueError, match="`augment`"):
        SelfDistillation(backbone, tiny.dino())
    model = SelfDistillation(backbone, tiny.dino(), augment=tiny.crops_only())
    assert model.embed(tiny.images()).shape == (tiny.NUM_IMAGES, 8)


def test_integers_of_an_unknown_range_are_refused(untrained):
    """Values from 0 to 255 in int32 were taken for floats from 0 to 1."""
    with pytest.raises(ValueError, match="uint8"):
        untrained.embed(tiny.images().astype("int32"))


@pytest.mark.slow
def test_a_second_fit_goes_on_with_fresh_epochs():
    """It used to begin with the order and the crops of epoch 0 again."""
    once, twice = (tiny.model() for _ in range(2))
    once.fit(tiny.dataset(once, 16), epochs=2, verbose=0)
    dataset = tiny.dataset(twice, 16)
    for _ in range(2):
        twice.fit(dataset, epochs=1, verbose=0)
    tiny.assert_states_equal(tiny.state(once), tiny.state(twice), 0.0)


@pytest.mark.parametrize(("batch_size", "drop_remainder"), [(7, True), (6, False)])
def test_batches_that_replicas_cannot_share_are_refused(two_replicas, batch_size, drop_remainder):
    """They used to be trained on with wrong weights, and a share of no image gave NaN."""
    with two_replicas.scope():
        model = tiny.model()
    source = data.ArraySource(tiny.images()[:31])
    source_of_all = data.ArraySource(tiny.images())
    dataset = data.PairDataset(
        source_of_all, model.pairing, batch_size, drop_remainder=drop_remainder
    )
    if not drop_remainder:
        dataset.source = source  # 31 images: the last batch of six has one.
        model.bank = None
    with pytest.raises(ValueError, match="2 replicas share evenly"):
        model.fit(dataset, verbose=0)


@keras.saving.register_keras_serializable(package="tests")
class Halves(keras.layers.Layer):
    """The upper left and the lower right part of the images, an augmentation of one's own."""

    def call(self, batch):
        first, second = (tf.cast(batch[name], tf.float32) for name in ("images", "partners"))
        return [first[:, :8, :8] / 255.0, second[:, 4:, 4:] / 255.0]


def test_an_augmentation_of_ones_own():
    """Keras refused the number of replicas that it was handed."""
    model = tiny.model(augment=Halves())
    assert np.isfinite(tiny.train(model)["loss"]).all()
    assert model.embed(tiny.images()).shape == (tiny.NUM_IMAGES, 16)


def test_any_layer_can_be_part_of_a_backbone():
    """A layer that isn't registered with Keras could not be cloned for the teacher."""

    class Scale(keras.layers.Layer):
        def call(self, x):
            return 2.0 * x

    images = keras.Input((8, 8, 3))
    maps = Scale()(keras.layers.Conv2D(8, 3)(images))
    features = keras.layers.GlobalAveragePooling2D()(maps)
    model = SelfDistillation(keras.Model(images, {"features": features}), tiny.dino())
    np.testing.assert_array_equal(model.teacher.get_weights()[0], model.student.get_weights()[0])


@pytest.mark.slow
def test_arguments_of_fit_by_position_and_a_single_callback(caplog):
    model = tiny.model()
    ends = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(epoch))
    model.fit(tiny.dataset(model, 32), None, None, 3, 0, callback)
    assert ends == [0, 1, 2]
    model.fit(tiny.dataset(model, 32), verbose=0)  # The window is full already.
    assert "window" not in caplog.text
    other = tiny.model()
    other.fit(tiny.dataset(other, 32).as_tf_dataset(), verbose=0)
    assert "epochs=1 is not larger than the window of 2" in caplog.text


def test_momentum_cannot_be_changed_after_the_first_step():
    model = tiny.model(augment=tiny.crops_only())
    model.momentum = 0.5
    tiny.train(model, steps=1)
    with pytest.raises(ValueError, match="no change of `momentum` after the first step"):
        model.momentum = 0.9
    assert model.momentum(0) == 0.5


def test_the_teacher_follows_what_is_unfrozen_later():
    backbone = tiny.vit()
    layer = backbone.blocks[0]
    layer.trainable = False
    model = tiny.model(backbone, augment=tiny.crops_only())
    tiny.train(model, steps=1)
    before = model.teacher.blocks[0].get_weights()
    layer.trainable = True
    model.compile(optimizers.SGD(0.05), run_eagerly=True)
    tiny.train(model, steps=1)
    changes = zip(before, model.teacher.blocks[0].get_weights(), strict=True)
    assert any(np.abs(new - old).max() > 0 for old, new in changes)


def test_train_on_batch():
    model = tiny.model()
    batch = next(iter(tiny.dataset(model)))
    assert np.isfinite(model.train_on_batch(batch)).all()


def test_evaluate_says_what_to_use_instead(untrained):
    with pytest.raises(ValueError, match="OnlineKNN"):
        untrained.evaluate(tiny.images())


@pytest.mark.parametrize("shape", [(8, 8, 3), (2, 8, 8, 3, 1)])
def test_images_to_embed_have_four_axes(untrained, shape):
    with pytest.raises(ValueError, match=r"\(B, H, W, C\)"):
        untrained.embed(np.zeros(shape, np.uint8))
    assert untrained.embed(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 16)


def test_a_float16_backbone_alone_has_its_loss_scaled():
    model = tiny.model(tiny.vit(dtype="mixed_float16"))
    assert model.loss_scale is not None


def test_batches_without_indices_are_named(untrained):
    batch = {"images": tiny.images(), "partners": tiny.images()}
    with pytest.raises(ValueError, match="'indices'"):
        untrained.fit(tf.data.Dataset.from_tensors(batch), verbose=0)


def test_a_pairing_by_name_is_refused():
    with pytest.raises(ValueError, match="pairing='adasim'"):
        SelfDistillation(tiny.vit(), tiny.dino(), pairing="adasim")


@pytest.mark.large
def test_fit_again_on_images_of_another_size():
    """Keras traced the step with unknown shapes the second time, which the crops can't have."""
    model = tiny.model(cnn(), bank=None, pairs=pairing.SelfPairing(), run_eagerly=False)
    for size in (12, 16, 12):
        images = np.zeros((8, size, size, 3), np.uint8)
        dataset = data.PairDataset(data.ArraySource(images), model.pairing, batch_size=4)
        assert np.isfinite(model.fit(dataset, verbose=0).history["loss"]).all()


@pytest.mark.large
def test_default_augmentation_is_two_views_at_the_backbones_size():
    model = SelfDistillation(tiny.vit(), tiny.dino())
    model.compile(optimizers.AdamW(1e-3, 0.0))
    history = model.fit(tiny.dataset(model), epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_several_steps_per_call_are_refused_on_two_replicas(two_replicas):
    """They died within Keras."""
    with two_replicas.scope(), pytest.raises(ValueError, match="`steps_per_execution=1`"):
        tiny.model(compiled=False).compile(optimizers.SGD(0.1), steps_per_execution=2)
