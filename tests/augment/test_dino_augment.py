import keras
import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment import DINOAugment, GaussianBlur, MultiCrop, first_view, symmetric_view

STEP = tf.constant(5, tf.int64)


def pixels(*shape, seed=0):
    images = tf.random.stateless_uniform(shape, (seed, 0), 0, 256, tf.int32)
    return tf.cast(images, tf.uint8)


def batch_of_images(rows=8, size=16, channels=3):
    return {
        "indices": tf.range(rows, dtype=tf.int64),
        "images": pixels(rows, size, size, channels),
        "partners": pixels(rows, size, size, channels, seed=1),
    }


def part(batch, start, stop):
    return {name: value[start:stop] for name, value in batch.items()}


def every_layer_once(**kwargs):
    """The second view has all layers that others have; one of each takes a third of the time."""
    return DINOAugment(MultiCrop(12, **kwargs), first=[], local=[])


def assert_views_close(actual, expected, atol=1e-4):
    for first, second in zip(actual, expected, strict=True):
        # At solarization's threshold rounding decides which side a pixel is on.
        close = np.abs(np.asarray(first) - np.asarray(second)) <= atol
        assert close.mean() > 0.9999


@pytest.mark.parametrize("num_local", [0, 3])
def test_views_of_images_and_partners_have_the_crops_sizes(num_local):
    augment = DINOAugment(MultiCrop(12, local_size=6, num_local=num_local))
    views = augment(batch_of_images(), 0)
    assert [tuple(view.shape) for view in views] == [(8, 12, 12, 3)] * 2 + [
        (8, 6, 6, 3)
    ] * num_local
    assert all(view.dtype == tf.float32 for view in views)
    # Normalized pixels of [0, 1] lie between these.
    assert all(np.min(view) > -2.2 and np.max(view) < 2.7 for view in views)


def test_crops_of_the_host_are_changed_but_not_cut():
    crops = MultiCrop(12, local_size=6, num_local=2)
    plain = DINOAugment(crops, (0, 0, 0), (1, 1, 1), first=[], second=[], local=[])
    views = tuple(pixels(4, size, size, 3, seed=i) for i, size in enumerate(crops.sizes))
    for view, changed in zip(views, plain({"views": views}, 0), strict=True):
        np.testing.assert_allclose(changed, view.numpy() / 255, atol=1e-6)
    changed = DINOAugment(crops)({"views": views}, 0)
    assert [view.shape for view in changed] == [view.shape for view in views]


def test_first_view_is_the_images_and_second_the_partners():
    black, white = tf.zeros((4, 8, 8, 3), tf.uint8), tf.fill((4, 8, 8, 3), np.uint8(255))
    augment = DINOAugment(
        MultiCrop(8, num_local=2, local_size=4), (0, 0, 0), (1, 1, 1), first=[], second=[], local=[]
    )
    views = augment({"images": black, "partners": white}, 0)
    np.testing.assert_allclose([np.mean(view) for view in views], [0, 1, 0, 0], atol=1e-6)


def test_draws_depend_on_seed_step_view_and_place_alone():
    image = pixels(1, 16, 16, 3)
    batch = {"images": tf.repeat(image, 4, axis=0), "partners": tf.repeat(image, 4, axis=0)}
    crops = MultiCrop(8, num_local=2, local_size=8, local_scale=(0.4, 1.0))
    policy = {"first": first_view(), "second": first_view(), "local": first_view()}
    augment = DINOAugment(crops, seed=1, **policy)
    views = np.stack(augment(batch, 5))
    np.testing.assert_array_equal(views, np.stack(augment(batch, 5)))
    np.testing.assert_array_equal(views, np.stack(DINOAugment(crops, seed=1, **policy)(batch, 5)))
    everything = np.concatenate([views, augment(batch, 6), DINOAugment(crops, seed=2)(batch, 5)])
    flat = everything.reshape(12 * 4, -1)
    assert len(np.unique(flat.round(3), axis=0)) == len(flat)


@pytest.mark.parametrize("num_local", [0, 2])
def test_two_halves_equal_the_whole(num_local):
    augment = DINOAugment(MultiCrop(12, local_size=6, num_local=num_local))
    batch = batch_of_images()
    halves = [augment(part(batch, 4 * i, 4 * i + 4), STEP, i, 2) for i in range(2)]
    together = [tf.concat(views, axis=0) for views in zip(*halves, strict=True)]
    assert_views_close(together, augment(batch, STEP))


def test_two_replicas_equal_one_device(two_replicas):
    batch = batch_of_images()
    with two_replicas.scope():
        augment = every_layer_once()

    @tf.function
    def run(distributed):
        def replica(local):
            context = tf.distribute.get_replica_context()
            return augment(local, STEP, context.replica_id_in_sync_group, 2)

        return two_replicas.run(replica, args=(distributed,))

    dataset = tf.data.Dataset.from_tensors(batch).unbatch().batch(8)
    distributed = next(iter(two_replicas.experimental_distribute_dataset(dataset)))
    views = [tf.concat(two_replicas.experimental_local_results(v), 0) for v in run(distributed)]
    assert_views_close(views, augment(batch, STEP))


@pytest.mark.slow
def test_compiled_equals_inline():
    augment = every_layer_once(local_size=8, num_local=1)
    batch = batch_of_images()
    assert augment.compilable
    compiled = tf.function(lambda *inputs: augment(*inputs), jit_compile=True)
    assert_views_close(compiled(batch, STEP), augment(batch, STEP))


@pytest.mark.slow
def test_batch_size_may_be_unknown_when_tracing():
    augment = every_layer_once()
    spec = tf.TensorSpec((None, 16, 16, 3), tf.uint8)
    traced = tf.function(lambda a, b: augment({"images": a, "partners": b}, STEP))
    batch = batch_of_images()
    views = traced.get_concrete_function(spec, spec)(batch["images"], batch["partners"])
    assert_views_close(views, augment(batch, STEP))


def test_float32_whatever_the_policy():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    views = DINOAugment(MultiCrop(12))(batch_of_images(), STEP)
    assert all(view.dtype == tf.float32 for view in views)
    keras.mixed_precision.set_global_policy("float32")
    assert_views_close(views, DINOAugment(MultiCrop(12))(batch_of_images(), STEP))


@pytest.mark.parametrize("channels", [1, 13])
def test_layers_that_need_rgb_are_left_out_by_name(channels):
    augment = DINOAugment(MultiCrop(8), (0.5,) * channels, (0.2,) * channels, channels=channels)
    assert augment.left_out == ("color_jitter", "grayscale")
    views = augment(batch_of_images(channels=channels), STEP)
    assert [view.shape for view in views] == [(8, 8, 8, channels)] * 2


def test_layers_can_be_excluded_by_name():
    augment = DINOAugment(MultiCrop(8), exclude=("blur", "solarize"))
    assert augment.left_out == ("blur", "solarize")
    without = DINOAugment(MultiCrop(8), first=first_view()[:3], second=first_view()[:3])
    batch = batch_of_images()
    assert_views_close(augment(batch, STEP), without(batch, STEP), atol=0)
    with pytest.raises(ValueError, match=r"Expected `exclude`.*'solarize'.*'blurr'"):
        DINOAugment(MultiCrop(8), exclude=("blurr",))


def test_any_keras_cv_layer_can_be_put_in():
    layers = [
        keras_cv.layers.RandomRotation(0.1, dtype="float32"),
        keras_cv.layers.RandomGaussianBlur(3, (0.5, 1.0), dtype="float32"),
        keras.layers.RandomContrast(0.2, dtype="float32"),
        keras_cv.layers.RandomBrightness(0.1, dtype="float32"),
    ]
    augment = DINOAugment(MultiCrop(8), first=layers, second=layers[:1])
    assert not augment.compilable
    first, second = augment(batch_of_images(), STEP)
    assert first.shape == second.shape == (8, 8, 8, 3)
    np.testing.assert_array_equal(second, augment(batch_of_images(), STEP)[1])


@pytest.mark.slow
def test_keras_cv_layers_that_need_autograph_can_be_put_in():
    """Layers that branch or loop in Python used to fail in a graph without AutoGraph."""
    layers = [
        keras_cv.layers.RandomApply(keras_cv.layers.RandomFlip("horizontal"), rate=0.5),
        keras_cv.layers.Equalization((0, 255)),
        keras_cv.layers.RandAugment((0, 255), augmentations_per_image=1),
    ]
    layer = DINOAugment(MultiCrop(8), first=layers, second=[])
    batch = {name: tf.zeros((2, 10, 10, 3), tf.uint8) for name in ("images", "partners")}
    views = tf.function(lambda step: layer(batch, step), autograph=False)(tf.constant(0, tf.int64))
    assert [view.shape for view in views] == [(2, 8, 8, 3)] * 2
    assert all(np.isfinite(view).all() for view in views)


def test_config_makes_an_equal_layer():
    augment = DINOAugment(
        MultiCrop(8, num_local=1, local_size=4),
        mean=(0.1, 0.2, 0.3),
        std=(0.4, 0.5, 0.6),
        seed=3,
        local=[GaussianBlur((0.5, 0.6), name="soft", dtype="float32")],
        exclude=("blur",),
        interpolation="bicubic",
        name="views",
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(augment))
    assert again.get_config() == augment.get_config()
    assert again.left_out == augment.left_out
    batch = batch_of_images()
    assert_views_close(again(batch, STEP), augment(batch, STEP), atol=0)


def test_it_has_no_weights():
    assert DINOAugment(MultiCrop(8)).variables == []


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"mean": (0.5,), "std": (0.5,)}, "`mean` and `std` to have 3 entries.*`channels=1`"),
        ({"channels": 4}, "`mean` and `std` to have 4 entries"),
        ({"seed": -1}, "`seed`"),
        ({"interpolation": "nearest"}, "`interpolation`"),
    ],
)
def test_bad_arguments_are_named(changes, match):
    with pytest.raises(ValueError, match=f"Expected {match}"):
        DINOAugment(MultiCrop(8), **changes)


def test_a_batch_that_does_not_fit_is_an_error():
    augment = DINOAugment(MultiCrop(8, num_local=1))
    with pytest.raises(ValueError, match="Expected `batch` to have the key 'views'"):
        augment({"images": pixels(2, 8, 8, 3)}, 0)
    with pytest.raises(ValueError, match=r"Expected 3 views of 3 channels.*Received: 2 views"):
        augment({"views": (pixels(2, 8, 8, 3),) * 2}, 0)
    with pytest.raises(ValueError, match="Received: 3 views of 5 channels"):
        augment(batch_of_images(channels=5), 0)


def test_nothing_draws_from_the_global_generator(monkeypatch):
    """Which isn't there after `tf.config.experimental.enable_op_determinism`."""

    def refuse():
        raise RuntimeError("get_global_generator cannot be called")

    monkeypatch.setattr(tf.random, "get_global_generator", refuse)
    augment = DINOAugment(MultiCrop(8, local_size=4, num_local=1), first=symmetric_view())
    assert len(augment(batch_of_images(), 0)) == 3
