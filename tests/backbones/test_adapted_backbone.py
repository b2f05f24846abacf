import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import pairing
from keras_adasim.backbones import AdaptedBackbone, adapt
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.models.teacher import make_teacher
from tests.backbones.backbone_contract import run_backbone_test
from tests.models import tiny


@keras.saving.register_keras_serializable(package="tests")
class HubBackbone(keras.Model):
    """Like keras_hub's: a functional model whose config are its constructor's arguments."""

    def __init__(self, image_shape, filters, dtype=None, **kwargs):
        images = keras.Input(image_shape, name="images")
        convolution = keras.layers.Conv2D(filters, 3, strides=2, padding="same", dtype=dtype)
        norm = keras.layers.BatchNormalization(dtype=dtype, name="norm")
        maps = keras.layers.ReLU(dtype=dtype)(norm(convolution(images)))
        super().__init__({"images": images}, maps, **kwargs)
        self.dtype_policy = keras.dtype_policies.get(dtype)
        self.image_shape = image_shape
        self.filters = filters

    def get_config(self):
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "image_shape": self.image_shape,
            "filters": self.filters,
        }


def hub_backbone(dtype=None, image_shape=(None, None, 3), filters=8):
    return HubBackbone(image_shape, filters, dtype, name="hub")


def sequences(prefix, size=16, pooled=False):
    """Like keras_hub's transformers: a sequence whose first tokens are no patches."""
    images = keras.Input((size, size, 3))
    patches = keras.layers.Conv2D(6, 4, strides=4)(images)
    tokens = keras.layers.Reshape((-1, 6))(patches)
    if prefix:
        first = keras.layers.Dense(prefix * 6)(keras.layers.GlobalAveragePooling1D()(tokens))
        first = keras.layers.Reshape((prefix, 6))(first)
        tokens = keras.layers.Concatenate(axis=1)([first, tokens])
    if not pooled:
        return keras.Model(images, tokens)
    outputs = {"sequence_output": tokens, "pooled_output": keras.ops.tanh(tokens[:, 0])}
    return keras.Model(images, outputs)


def images(size=16, channels=3):
    return np.random.default_rng(0).normal(size=(3, size, size, channels)).astype("float32")


def test_contract(tmp_path):
    run_backbone_test(
        lambda dtype: adapt(
            hub_backbone(dtype, (None, None, 13)), 32, name="other", mean=[0.5] * 13, std=[0.2] * 13
        ),
        image_sizes=[(12, 12), (8, 14)],
        num_tokens=[36, 28],
        tmp_path=tmp_path,
        channels=13,
    )


def test_map():
    model = hub_backbone()
    outputs, maps = adapt(model)(images()), model({"images": images()})
    np.testing.assert_array_equal(outputs["tokens"], np.reshape(maps, (3, 64, 8)))
    np.testing.assert_allclose(outputs["features"], np.mean(maps, axis=(1, 2)), atol=1e-6)


def test_of_several_maps_the_widest():
    model = hub_backbone()
    deeper = keras.layers.Conv2D(12, 3, strides=2)(model.output)
    # In a dictionary "stem" comes after "stage".
    several = keras.Model(model.input, {"stem": model.output, "stage": deeper})
    assert adapt(several)(images())["tokens"].shape == (3, 9, 12)


@pytest.mark.parametrize("prefix", [0, 1, 3])
def test_sequence(prefix):
    model = sequences(prefix)
    outputs, sequence = adapt(model)(images()), model(images())
    tokens = sequence[:, prefix:]
    assert outputs["tokens"].shape == (3, 16, 6)
    np.testing.assert_array_equal(outputs["tokens"], tokens)
    features = sequence[:, 0] if prefix else np.mean(tokens, axis=1)
    np.testing.assert_allclose(outputs["features"], features, atol=1e-6)


def test_number_of_prefix_tokens_can_be_given():
    outputs = adapt(sequences(1), num_prefix_tokens=0)(images())
    assert outputs["tokens"].shape == (3, 17, 6)
    with pytest.raises(ValueError, match=r"`num_prefix_tokens`.*Pass 1 for a class token"):
        adapt(sequences(0, size=None))
    outputs = adapt(sequences(0, size=None), num_prefix_tokens=0)(images(20))
    assert outputs["tokens"].shape == (3, 25, 6)


def test_pooled_output():
    model = sequences(1, pooled=True)
    outputs, expected = adapt(model)(images()), model(images())
    np.testing.assert_array_equal(outputs["features"], expected["pooled_output"])
    np.testing.assert_array_equal(outputs["tokens"], expected["sequence_output"][:, 1:])


def test_a_vector_has_no_tokens():
    model = hub_backbone()
    pooled = keras.layers.GlobalMaxPooling2D()(model.output)
    backbone = adapt(keras.Model(model.input, pooled))
    assert set(backbone.output) == {"features"}
    assert backbone(images())["features"].shape == (3, backbone.feature_dim) == (3, 8)


def test_weights_are_shared():
    model = hub_backbone()
    backbone = adapt(model)
    assert [id(w) for w in backbone.weights] == [id(w) for w in model.weights]
    assert backbone.count_params() == model.count_params()


@pytest.mark.parametrize("build", [hub_backbone, lambda: keras.models.clone_model(hub_backbone())])
def test_batch_normalization_becomes_synchronized(build, tmp_path):
    inner = build()
    outer = keras.Model(inner.inputs, keras.layers.Conv2D(4, 1)(inner.output))
    backbone = adapt(outer)
    backbone.save(tmp_path / "model.keras")
    for copy in (
        backbone,
        make_teacher(backbone),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        norms = [
            layer for layer in sublayers(copy) if isinstance(layer, keras.layers.BatchNormalization)
        ]
        assert [norm.synchronized for norm in norms] == [True]


def test_frozen_layers_stay_frozen():
    model = keras.models.clone_model(hub_backbone())
    model.get_layer("norm").trainable = False
    backbone = adapt(model)
    twin = AdaptedBackbone.from_config(backbone.get_config())
    assert len(twin.trainable_weights) == len(backbone.trainable_weights) == 2
    backbone.trainable = False
    assert not AdaptedBackbone.from_config(backbone.get_config()).trainable_weights


def test_one_size_only():
    backbone = adapt(sequences(1))
    assert backbone.fixed_image_size == backbone.image_size == 16
    with pytest.raises(ValueError, match=r"16 x 16 pixels.*shape=\(3, 8, 8, 3\).*num_local=0"):
        backbone(images(8))
    # Sizes that are known when the graph runs only are taken on trust.
    graph = tf.function(backbone, input_signature=[tf.TensorSpec((None, None, None, 3))])
    assert graph(images())["features"].shape == (3, 6)


def test_any_size():
    backbone = adapt(hub_backbone())
    assert backbone.fixed_image_size is None
    assert backbone.image_size == 224
    assert backbone(images(10))["tokens"].shape == (3, 25, 8)


@pytest.mark.large
def test_two_replicas_train_like_one_device(two_replicas):
    def build():
        keras.utils.set_random_seed(1)
        # With batch normalization in the head, too, and a mild loss: where gradients are large, so
        # is the rounding of those that should be zero, of biases before a normalization.
        objective = tiny.dino(use_bn=True, student_temperature=1.0, teacher_temperature=0.5)
        backbone = adapt(hub_backbone(), image_size=8)
        return tiny.model(backbone, objective, pairing.SelfPairing(), bank=None)

    one = build()
    tiny.train(one, steps=2)
    with two_replicas.scope():
        two = build()
    tiny.train(two, steps=2)
    tiny.assert_states_equal(tiny.state(one), tiny.state(two), 1e-5)
    tiny.assert_copies_equal(two)


def test_local_crops_are_refused_by_a_model_of_one_size():
    backbone = adapt(sequences(1, size=8))
    with pytest.raises(ValueError, match=r"8 x 8 pixels.*num_local=0"):
        tiny.model(backbone, num_local=1)
    with pytest.raises(ValueError, match=r"8 x 8 pixels.*local_size=8"):
        backbone(np.zeros((1, 4, 4, 3), "float32"))


def test_outputs_that_mean_nothing_are_refused():
    model = hub_backbone()
    outputs = [model.output, keras.layers.GlobalMaxPooling2D()(model.output)]
    with pytest.raises(ValueError, match=r"maps.*Received: outputs of shapes.*Choose one"):
        adapt(keras.Model(model.input, outputs))
