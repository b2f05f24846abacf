"""The queue: first in, first out, no row lost where the ring ends."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers import FeatureQueue


def unit(x):
    x = x.astype("float64")
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def batches(*sizes, dim=4):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(size, dim)).astype("float32") for size in sizes]


def oldest_first(queue):
    return np.roll(queue.rows.numpy(), -int(queue.pointer.numpy()), axis=0)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_no_row_is_lost_whatever_the_batch_size(jit_compile):
    queue = FeatureQueue(7, 4)
    enqueue = tf.function(queue.enqueue, jit_compile=jit_compile)
    expected = collections.deque(queue.rows.numpy(), maxlen=7)
    # 3 does not divide 7, so that batches end before, at and after the ring's end.
    for batch in batches(3, 3, 3, 3, 1, 1, 7, 3, 7):
        enqueue(tf.constant(batch))
        expected.extend(unit(batch))
        np.testing.assert_allclose(oldest_first(queue), np.stack(expected), atol=1e-6)


def test_equals_the_official_sequence(golden):
    arrays, scalars = golden("ssl_losses")
    queue = FeatureQueue(scalars["queue_size"], scalars["dim"])
    queue.rows.assign(arrays["nnclr/queue_initial"])
    for step, rows in enumerate(arrays["nnclr/queue_after_step"]):
        before = queue.rows.numpy()
        for view in (1, 2):
            nearest = arrays[f"nnclr/nearest_queue_row_of_projection_{view}"][step]
            found = queue.look_up(arrays[f"nnclr/projection_view_{view}"][step])
            np.testing.assert_array_equal(found, before[nearest])
        queue.enqueue(arrays["nnclr/projection_view_1"][step])
        np.testing.assert_allclose(queue.rows.numpy(), rows, atol=1e-5)
    assert int(queue.pointer.numpy()) == scalars["nnclr_queue_pointer_at_end"]


def test_starts_full_of_random_unit_rows():
    first, same, other = (FeatureQueue(50, 4, seed).rows.numpy() for seed in (0, 0, 1))
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), np.ones(50), atol=1e-6)
    assert np.abs(first.mean(axis=0)).max() < 0.3
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.1


def test_look_up_has_no_gradient_and_ignores_lengths():
    queue = FeatureQueue(9, 4)
    features = tf.constant(batches(5)[0])
    with tf.GradientTape() as tape:
        tape.watch(features)
        rows = queue(features)
        loss = tf.reduce_sum(rows)
    assert tape.gradient(loss, features) is None
    np.testing.assert_array_equal(queue.look_up(100.0 * features), rows)
    cosines = unit(features.numpy()) @ queue.rows.numpy().T
    np.testing.assert_array_equal(rows, queue.rows.numpy()[cosines.argmax(axis=1)])


def test_copies_on_replicas_are_equal(two_replicas):
    with two_replicas.scope():
        queue = FeatureQueue(7, 4)
    rows = tf.constant(batches(5)[0])
    step = tf.function(lambda: two_replicas.run(lambda: queue.enqueue(rows)))
    step()
    step()
    for variable in (queue.rows, queue.pointer):
        first, second = (copy.numpy() for copy in variable.value.values)
        np.testing.assert_array_equal(first, second)
    assert first == 3


def test_travels_in_a_file(tmp_path):
    queues = [FeatureQueue(7, 4, seed, dtype="mixed_float16") for seed in (1, 2)]
    paths = []
    for queue in queues:
        inputs = keras.Input((4,))
        paths.append(keras.Model(inputs, queue(inputs)))
    queues[0].enqueue(batches(5)[0])
    paths[0].save_weights(tmp_path / "queue.weights.h5")
    paths[1].load_weights(tmp_path / "queue.weights.h5")
    np.testing.assert_array_equal(queues[1].rows.numpy(), queues[0].rows.numpy())
    assert int(queues[1].pointer.numpy()) == 5
    assert queues[0].rows.dtype == "float32"
    twin = FeatureQueue.from_config(queues[0].get_config())
    assert twin.get_config() == queues[0].get_config()


def test_a_batch_larger_than_the_queue_is_refused():
    with pytest.raises(ValueError, match="at most 7 features"):
        FeatureQueue(7, 4).enqueue(batches(8)[0])


def test_wrong_sizes_are_named():
    for arguments, message in (((0, 4), "`size`"), ((4, 1.5), "`feature_dim`")):
        with pytest.raises(ValueError, match=message):
            FeatureQueue(*arguments)
    with pytest.raises(ValueError, match="feature_dim"):
        FeatureQueue(7, 4).look_up(batches(2, dim=3)[0])
