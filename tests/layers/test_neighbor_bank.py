"""The bank: look up, then write, on one device, on two, and in chunks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers import NeighborBank


def batch_feature(arrays, step, feature):
    """The feature of one of FORMAT's three kinds, as the training step hands it over."""
    first, second = np.split(arrays["teacher_features"][step], 2)
    unit = [
        x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (first, second)
    ]
    return {"first": first, "second": second, "mean": sum(unit) / 2}[feature]


@pytest.mark.parametrize("chunk_size", [65536, 64, 16, 7, 3])
@pytest.mark.parametrize("feature", ["first", "second", "mean"])
def test_equals_the_official_sequence(golden, feature, chunk_size):
    arrays, sizes = golden("bank_sequence")
    bank = NeighborBank(sizes["images"], sizes["dim"], sizes["neighbors"], chunk_size=chunk_size)
    look_up_and_write = tf.function(bank)
    for step, indices in enumerate(arrays["batch_indices"]):
        look_up_and_write(indices, tf.constant(batch_feature(arrays, step, feature)))
        expected = {
            name: arrays[f"{feature}/{name}"][step]
            for name in ("bank_after_batch", "similarities_after_batch", "neighbor_ids_after_batch")
        }
        certain = arrays[f"{feature}/neighbor_id_is_determined"][step] == 1
        np.testing.assert_allclose(bank.features.numpy(), expected["bank_after_batch"], atol=1e-5)
        np.testing.assert_allclose(
            bank.similarities.numpy(), expected["similarities_after_batch"], atol=1e-5
        )
        np.testing.assert_array_equal(
            bank.ids.numpy()[certain], expected["neighbor_ids_after_batch"][certain]
        )


def test_the_step_compiled_equals_the_call():
    """The training step and a call used to go two ways, and tests went the one that it doesn't."""
    rng = np.random.default_rng(1)
    called, stepped = (NeighborBank(20, 4, 3, chunk_size=8) for _ in range(2))
    for _ in range(3):
        indices, features = rng.permutation(20)[:8], rng.normal(size=(8, 4)).astype("float32")
        expected = called(indices, features)
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        found = stepped.step(tf.constant(indices), tf.constant(unit), jit_compile=True)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], atol=1e-6)
    for one, two in zip(called.get_weights(), stepped.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_records_and_rows_are_what_was_written():
    bank = NeighborBank(6, 4, 2)
    bank(np.arange(4), np.eye(4, dtype="float32"))
    ids, similarities = bank(np.array([2, 3]), np.eye(4, dtype="float32")[2:])
    np.testing.assert_array_equal(bank.records()[0][[2, 3]], ids)
    np.testing.assert_array_equal(bank.records()[1][[2, 3]], similarities)
    np.testing.assert_array_equal(bank.rows([3, 5]), [[0, 0, 0, 1], [0, 0, 0, 0]])


def test_two_replicas_write_the_same_rows(two_replicas):
    features = np.random.default_rng(1).normal(size=(3, 8, 4)).astype("float32")
    indices = np.random.default_rng(2).permutation(20)[:8]
    one = NeighborBank(20, 4, 3)
    with two_replicas.scope():
        two = NeighborBank(20, 4, 3)

    @tf.function
    def step(rows):
        return two_replicas.run(two, args=rows)

    for batch in features:
        expected = one(indices, batch)
        halves = tf.data.Dataset.from_tensor_slices((indices, batch)).batch(8)
        (rows,) = list(two_replicas.experimental_distribute_dataset(halves))
        found = [tf.concat(two_replicas.experimental_local_results(x), 0) for x in step(rows)]
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], atol=1e-6)
    for name in ("features", "ids", "similarities"):
        first, second = (copy.numpy() for copy in getattr(two, name).value.values)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, getattr(one, name).numpy(), atol=1e-6)


def test_state_stays_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    bank = NeighborBank(6, 4, 2)
    _, similarities = bank(np.arange(3), tf.cast(np.eye(3, 4), tf.bfloat16))
    assert similarities.dtype == tf.float32
    assert bank.features.value.dtype == tf.float32


def test_config_round_trip():
    bank = NeighborBank(6, 4, 2, chunk_size=3, name="memory")
    twin = NeighborBank.from_config(bank.get_config())
    assert twin.get_config() == bank.get_config()
    bank(np.arange(3), np.eye(3, 4, dtype="float32"))
    twin.set_weights(bank.get_weights())
    np.testing.assert_array_equal(twin.features.numpy(), bank.features.numpy())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "num_images"),
        ((None, 4), "num_images=None"),
        ((5, 0), "feature_dim"),
        ((5, 4.0), r"feature_dim=4\.0"),
        ((5, 4, 0), "topk"),
        ((5, 4, 6), "topk=6"),
        ((5, 4, 2, "bfloat16"), "row_dtype='bfloat16'"),
        ((5, 4, 2, "float32", 1), "sharded=1"),
        ((5, 4, 2, "float32", False, True), "chunk_size=True"),
    ],
)
def test_wrong_sizes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        NeighborBank(*arguments)


def test_wrong_feature_size_is_named():
    with pytest.raises(ValueError, match="feature_dim"):
        NeighborBank(5, 4, 2)(np.arange(2), np.zeros((2, 3), "float32"))
