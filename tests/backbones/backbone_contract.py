"""What every backbone must do, whatever it is made of."""

import inspect
import json

import keras
import numpy as np
import tensorflow as tf


def run_backbone_test(build, image_sizes, num_tokens, tmp_path, channels=3, half_tolerance=0.15):
    """Holds a backbone to the contract.

    Args:
        build: function of a dtype policy's name that returns a new small backbone. Its arguments
            should differ from the defaults, so that a config that forgets one is found out.
        image_sizes: two image sizes, (height, width) each.
        num_tokens: the number of patch tokens for each of them.
        tmp_path: an empty folder.
        channels: channels of the images.
        half_tolerance: how far outputs in half precision may be from float32, as a share of the
            largest.
    """
    model = build("float32")
    random = np.random.default_rng(0)
    images = [random.normal(size=(3, *size, channels)).astype("float32") for size in image_sizes]
    check_outputs(model, images, num_tokens)
    check_config(model, images[0])
    check_saving(model, build, images[0], tmp_path)
    for batch in images:
        check_gradients(model, batch)
        check_compiled(model, batch)
    for policy in ("mixed_bfloat16", "mixed_float16"):
        check_half_precision(model, build(policy), policy, images[0], half_tolerance)


def check_outputs(model, images, num_tokens):
    for batch, tokens in zip(images, num_tokens, strict=True):
        outputs = model(batch)
        assert set(outputs) == {"features", "tokens"}
        assert outputs["features"].shape == (3, model.feature_dim)
        assert outputs["tokens"].shape == (3, tokens, model.feature_dim)
        # Inference mode: an image's outputs don't depend on the rest of the batch.
        single = model(batch[1:2])
        for name in outputs:
            np.testing.assert_allclose(single[name][0], outputs[name][1], atol=1e-4)


def check_config(model, batch):
    config = model.get_config()
    arguments = inspect.signature(type(model).__init__).parameters.values()
    named = {a.name for a in arguments if a.kind is a.POSITIONAL_OR_KEYWORD} - {"self"}
    assert named | {"name", "trainable", "dtype"} <= set(config)
    twin = type(model).from_config(config)
    assert twin.get_config() == config
    twin.set_weights(model.get_weights())
    assert_equal_outputs(twin, model, batch)
    assert [w.trainable for w in twin.weights] == [w.trainable for w in model.weights]


def check_saving(model, build, batch, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    # A file has no tuples.
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    assert_equal_outputs(loaded, model, batch)
    model.save_weights(tmp_path / "model.weights.h5")
    other = build("float32")
    other.load_weights(tmp_path / "model.weights.h5")
    assert_equal_outputs(other, model, batch)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert_equal_outputs(clone, model, batch)


def check_gradients(model, batch):
    with tf.GradientTape() as tape:
        outputs = model(batch, training=True)
        # Not symmetric: the sum over a normalized token is the same for every token.
        loss = sum(
            tf.reduce_sum(x * tf.random.stateless_normal(x.shape, (i, 1)))
            for i, x in enumerate(outputs.values())
        )
    weights = model.trainable_weights
    gradients = tape.gradient(loss, [w.value for w in weights])
    lost = [
        w.path
        for w, g in zip(weights, gradients, strict=True)
        if g is None or not np.any(np.asarray(tf.convert_to_tensor(g)))
    ]
    assert not lost
    assert all(np.all(np.isfinite(tf.convert_to_tensor(g))) for g in gradients)


def check_compiled(model, batch):
    compiled = tf.function(lambda x: model(x, training=False), jit_compile=True)(batch)
    plain = model(batch, training=False)
    for name in plain:
        np.testing.assert_allclose(compiled[name], plain[name], atol=1e-4)


def check_half_precision(reference, model, policy, batch, tolerance):
    assert model.compute_dtype == policy.removeprefix("mixed_")
    assert {w.dtype for w in model.weights} == {"float32"}
    model.set_weights(reference.get_weights())
    outputs, expected = model(batch), reference(batch)
    for name in outputs:
        assert outputs[name].dtype == model.compute_dtype
        scale = np.abs(expected[name]).max()
        values = tf.cast(outputs[name], "float32")
        np.testing.assert_allclose(values, expected[name], atol=tolerance * scale)
    assert type(model).from_config(model.get_config()).dtype_policy == model.dtype_policy


def assert_equal_outputs(model, other, batch):
    outputs, expected = model(batch, training=False), other(batch, training=False)
    for name in expected:
        np.testing.assert_array_equal(outputs[name], expected[name])
