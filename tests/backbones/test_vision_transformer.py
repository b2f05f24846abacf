import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.backbones import VisionTransformer, load_torch_weights
from keras_adasim.layers import ProjectionHead
from tests.backbones.backbone_contract import run_backbone_test

SIZES = ("native", "smaller", "larger", "not_square", "not_square_same_count")


@pytest.fixture
def vit(golden):
    """The golden ViT, its arrays, and a function that gives the images of one size."""
    arrays, scalars = golden("vit")
    model = VisionTransformer(
        scalars["image"],
        scalars["patch"],
        scalars["embed_dim"],
        scalars["depth"],
        scalars["heads"],
        scalars["mlp_ratio"],
    )
    assert model.count_params() == scalars["parameters"]
    load_torch_weights(model, part(arrays, "vit_state/"))
    return model, arrays


def part(arrays, prefix):
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def channels_last(images):
    return np.transpose(images, (0, 2, 3, 1))


def small(dtype="float32", **kwargs):
    return VisionTransformer(
        24, 8, 16, depth=2, num_heads=2, mlp_ratio=3, channels=2, dtype=dtype, **kwargs
    )


@pytest.mark.slow
def test_contract(tmp_path):
    run_backbone_test(
        lambda dtype: small(dtype, drop_path_rate=0.1, name="other"),
        image_sizes=[(24, 24), (16, 40)],
        num_tokens=[9, 10],
        tmp_path=tmp_path,
        channels=2,
    )


@pytest.mark.parametrize("size", SIZES)
def test_equals_official_code(vit, size):
    model, arrays = vit
    expected = part(arrays, f"size_{size}/")
    images = channels_last(expected["images"])
    outputs = model(images)
    np.testing.assert_allclose(outputs["features"], expected["class_token_output"], atol=2e-5)
    tokens = expected["all_tokens_after_norm"]
    np.testing.assert_allclose(outputs["tokens"], tokens[:, 1:], atol=2e-5)
    attention = model.last_self_attention(images)
    np.testing.assert_allclose(attention, expected["last_self_attention"], atol=1e-5)
    rows, columns = (side // model.patch_size for side in images.shape[1:3])
    positions = model.position_embedding.resized(rows, columns)
    np.testing.assert_allclose(positions, expected["position_embedding_used"], atol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_graph_of_unknown_size_equals_official_code(vit, jit_compile):
    model, arrays = vit
    signature = [tf.TensorSpec((None, None, None, 3))]
    graph = tf.function(model, input_signature=signature, jit_compile=jit_compile)
    for size in SIZES[::3] if jit_compile else SIZES:
        expected = part(arrays, f"size_{size}/")
        tokens = graph(channels_last(expected["images"]))["tokens"]
        np.testing.assert_allclose(tokens, expected["all_tokens_after_norm"][:, 1:], atol=2e-5)


@pytest.mark.parametrize("size", ["native", "smaller"])
def test_intermediate_class_tokens_equal_official_code(vit, size):
    model, arrays = vit
    images = channels_last(arrays[f"size_{size}/images"])
    expected = arrays[f"size_{size}/tokens_after_each_block_then_norm"][:, :, 0]
    for n in (1, 2, model.depth):
        class_tokens = model.intermediate_class_tokens(images, n)
        np.testing.assert_allclose(class_tokens, expected[-n:], atol=2e-5)


def test_final_norm_has_the_official_epsilon(vit):
    model, arrays = vit
    outputs = model.norm(arrays["layer_norm/inputs"][None])
    np.testing.assert_allclose(outputs[0], arrays["layer_norm/outputs"], atol=1e-5)


def test_multicrop_equals_official_code(vit):
    model, arrays = vit
    names = ("global_crop_1", "global_crop_2", "local_crop_1")
    crops = [channels_last(arrays[f"multicrop/{name}"]) for name in names]
    features = tf.concat([model(crop)["features"] for crop in crops], axis=0)
    np.testing.assert_allclose(features, arrays["multicrop/backbone_outputs"], atol=2e-5)
    head = ProjectionHead(96, hidden_dim=64, bottleneck_dim=32)
    head.build(features.shape)
    load_torch_weights(head, part(arrays, "head_state/"))
    np.testing.assert_allclose(head(features), arrays["multicrop/head_outputs"], atol=1e-5)


def test_starts_like_dino():
    model = VisionTransformer(32, 8, 192, depth=2, num_heads=3)
    block = model.blocks[0]
    for variable in (
        model.position_embedding.embedding,
        block.attention.qkv.kernel,
        block.mlp_hidden.kernel,
    ):
        assert np.std(variable) == pytest.approx(0.02, rel=0.05)
    # Keras' truncated normal would have none of these.
    assert np.mean(np.abs(block.mlp_hidden.kernel) > 0.04) == pytest.approx(0.0455, rel=0.1)
    assert not np.any(block.mlp_hidden.bias)
    limit = (8 * 8 * 3) ** -0.5
    assert 0.95 * limit < np.max(np.abs(model.patch_embedding.kernel)) <= limit


def test_drop_path_grows_with_depth_and_acts_in_training_only():
    model = VisionTransformer(16, 8, 16, depth=3, num_heads=2, drop_path_rate=0.6)
    assert [b.drop_path.rate for b in model.blocks] == pytest.approx([0.0, 0.3, 0.6])
    images = np.random.default_rng(0).normal(size=(8, 16, 16, 3)).astype("float32")
    calm = model(images, training=False)["features"]
    np.testing.assert_array_equal(calm, model(images, training=False)["features"])
    assert np.any(model(images, training=True)["features"] != calm)
    np.testing.assert_allclose(model.intermediate_class_tokens(images, 1)[0], calm, atol=1e-6)
    for block in model.blocks:
        block.drop_path.rate = 0.0
    np.testing.assert_array_equal(model(images, training=True)["features"], calm)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_softmax_is_float32_in_half_precision(policy):
    model = small(policy)
    attention = model.last_self_attention(np.ones((1, 24, 24, 2), "float32"))
    assert attention.dtype == "float32"
    np.testing.assert_allclose(np.sum(attention, axis=-1), 1.0, atol=1e-6)


def test_takes_the_global_dtype_policy():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = VisionTransformer(16, 8, 16, 1, 2)
    assert model.compute_dtype == model.blocks[0].attention.qkv.compute_dtype == "bfloat16"


@pytest.mark.large
def test_trains_on_two_replicas(two_replicas):
    with two_replicas.scope():
        model = small(drop_path_rate=0.5)

    @tf.function(jit_compile=True)
    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(images, training=True)["features"] ** 2)
        return tape.gradient(loss, [w.value for w in model.trainable_weights])

    images = tf.ones((2, 16, 16, 2))
    step = tf.function(lambda: two_replicas.run(lambda: gradients(images)), autograph=False)
    result = step()
    assert all(np.all(np.isfinite(copy)) for g in result for copy in g.values)


@pytest.mark.parametrize("shape", [(1, 24, 30, 2), (1, 20, 24, 2)])
def test_refuses_sizes_that_the_patch_does_not_divide(shape):
    model = small()
    with pytest.raises(ValueError, match=r"multiples of patch_size=8.*Received: height="):
        model(np.zeros(shape, "float32"))
    graph = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 2))])
    with pytest.raises(tf.errors.InvalidArgumentError, match="multiples of patch_size=8"):
        graph(np.zeros(shape, "float32"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 30}, "`patch_size` to divide `image_size`.*image_size=30"),
        ({"num_heads": 3}, "`num_heads` to divide `embed_dim`.*num_heads=3"),
        ({"depth": 0}, "`depth` to be a positive integer. Received: depth=0"),
        ({"channels": 2.5}, "`channels` to be a positive integer. Received: channels=2.5"),
        ({"drop_path_rate": 1.0}, "`drop_path_rate`.*in \\[0, 1\\)"),
    ],
)
def test_refuses_arguments_that_do_not_fit(arguments, message):
    defaults = {"image_size": 24, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}
    with pytest.raises(ValueError, match=message):
        VisionTransformer(**{**defaults, **arguments})


def test_intermediate_class_tokens_keep_to_the_rank_of_the_norm():
    """The norm is built for (B, T, D) and was called on (B, D), which Keras 3.16 refuses."""
    model = small()
    model.norm.input_spec = keras.layers.InputSpec(ndim=3)
    class_tokens = model.intermediate_class_tokens(np.zeros((1, 24, 24, 2), "float32"), 2)
    assert [token.shape for token in class_tokens] == [(1, model.embed_dim)] * 2


@pytest.mark.parametrize(
    ("n", "message"),
    [
        (0, "`n` to be a positive integer.*n=0"),
        (1.0, "`n` to be a positive integer.*n=1"),
        (3, "`n` between 1 and depth=2.*n=3"),
    ],
)
def test_refuses_more_blocks_than_there_are(n, message):
    with pytest.raises(ValueError, match=message):
        small().intermediate_class_tokens(np.zeros((1, 24, 24, 2), "float32"), n)
