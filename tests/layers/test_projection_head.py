import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.backbones import load_torch_weights
from keras_adasim.layers import ProjectionHead


def features(batch=7, dim=48):
    return np.random.default_rng(0).normal(size=(batch, dim)).astype("float32")


def small(**kwargs):
    return ProjectionHead(10, **{"hidden_dim": 12, "bottleneck_dim": 6, **kwargs})


def test_equals_official_code(golden):
    arrays, scalars = golden("vit")
    head = ProjectionHead(scalars["head_out"], scalars["head_hidden"], scalars["head_bottleneck"])
    head.build((None, scalars["embed_dim"]))
    assert head.count_params() == scalars["head_parameters"]
    state = {k.removeprefix("head_state/"): v for k, v in arrays.items() if "head_state" in k}
    load_torch_weights(head, state)
    np.testing.assert_allclose(head(arrays["head/inputs"]), arrays["head/outputs"], atol=1e-5)
    tokens = arrays["size_native/class_token_output"]
    np.testing.assert_allclose(
        head(tokens), arrays["head/outputs_for_native_class_tokens"], atol=1e-5
    )


@pytest.mark.parametrize("norm_last_layer", [True, False])
@pytest.mark.parametrize("use_bn", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2, 4])
def test_every_shape_of_head(num_layers, use_bn, norm_last_layer):
    head = small(num_layers=num_layers, use_bn=use_bn, norm_last_layer=norm_last_layer)
    logits = head(features(), training=True)
    assert logits.shape == (7, 10)
    # Cosines between bottleneck and prototypes.
    assert np.all(np.abs(logits) <= 1 + 1e-6)
    assert len(head.dense_layers) == num_layers
    assert len(head.batch_norms) == (num_layers - 1 if use_bn else 0)
    assert all(layer.synchronized for layer in head.batch_norms)


def test_last_layer_has_the_weights_of_weight_norm():
    for norm_last_layer in (True, False):
        head = small(norm_last_layer=norm_last_layer)
        head.build((None, 48))
        assert head.weight_v.shape == (6, 10)
        # Two axes, so that optimizers decay it as they decay PyTorch's (K, 1).
        assert head.weight_g.shape == (1, 10)
        np.testing.assert_array_equal(head.weight_g, np.ones((1, 10)))
        assert head.weight_g.trainable is not norm_last_layer
        trained = [v for v in head.trainable_variables if "weight_" in v.name]
        assert [id(v) for v in trained] == [id(v) for v in head.last_layer_variables]


def test_logits_scale_with_weight_g_and_not_with_the_length_of_weight_v():
    head = small(norm_last_layer=False)
    logits = head(features())
    head.weight_v.assign(head.weight_v * 3.0)
    np.testing.assert_allclose(head(features()), logits, atol=1e-6)
    head.weight_g.assign(head.weight_g * 2.0)
    np.testing.assert_allclose(head(features()), 2 * logits, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    head, reference = small(dtype=policy, num_layers=1), small(num_layers=1)
    # The squares of the bottleneck's entries overflow float16.
    inputs = 1e4 * features()
    expected = reference(inputs)
    head.build(inputs.shape)
    head.set_weights(reference.get_weights())
    logits = head(inputs)
    assert logits.dtype == "float32"
    assert {w.dtype for w in head.weights} == {"float32"}
    np.testing.assert_allclose(logits, expected, atol=0.03)


def test_gradients_are_finite_for_zero_features():
    head = small()
    head.build((None, 48))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(head(np.zeros((2, 48), "float32")))
    gradients = tape.gradient(loss, [w.value for w in head.trainable_weights])
    assert all(np.all(np.isfinite(g)) for g in gradients)


@pytest.mark.slow
def test_compiled_equals_eager():
    head = small(use_bn=True)
    head.build((None, 48))
    compiled = tf.function(lambda x: head(x, training=False), jit_compile=True)
    np.testing.assert_allclose(compiled(features()), head(features()), atol=1e-6)


@pytest.mark.parametrize("use_bn", [True, False])
def test_config_and_saving_round_trip(tmp_path, use_bn):
    head = small(num_layers=2, use_bn=use_bn, norm_last_layer=False, name="mine")
    config = head.get_config()
    twin = ProjectionHead.from_config(config)
    assert twin.get_config() == config
    twin.build((None, 48))
    head(features(), training=True)
    twin.set_weights(head.get_weights())
    np.testing.assert_array_equal(twin(features()), head(features()))
    model = keras.Sequential([keras.Input((48,)), head])
    model.save(tmp_path / "head.keras")
    loaded = keras.models.load_model(tmp_path / "head.keras")
    np.testing.assert_array_equal(loaded(features()), head(features()))


def test_statistics_are_those_of_all_replicas(two_replicas):
    with two_replicas.scope():
        head = small(num_layers=2, use_bn=True)
        head.build((None, 48))
    alone = small(num_layers=2, use_bn=True)
    alone.build((None, 48))
    alone.set_weights(head.get_weights())
    inputs = features(8)
    halves = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(inputs, 2)[context.replica_id_in_sync_group])
    )
    step = tf.function(lambda x: two_replicas.run(lambda y: head(y, training=True), args=(x,)))
    logits = np.concatenate([np.asarray(part) for part in step(halves).values])
    np.testing.assert_allclose(logits, alone(inputs, training=True), atol=1e-5)


@pytest.mark.parametrize("name", ["out_dim", "hidden_dim", "bottleneck_dim", "num_layers"])
@pytest.mark.parametrize("value", [0, 1.5])
def test_refuses_sizes_that_are_no_positive_integer(name, value):
    with pytest.raises(ValueError, match=f"Expected `{name}`.*Received: {name}={value}"):
        ProjectionHead(**{"out_dim": 10, name: value})
