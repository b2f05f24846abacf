"""A bank on the replicas of a strategy; as a script, on four of them, held against one device."""

import numpy as np
import tensorflow as tf

from keras_adasim.layers import NeighborBank

NUM_IMAGES, DIM, TOPK, BATCH, STEPS = 21, 16, 4, 8, 5


def batches(signs=False):
    """Indices and unit features of some steps; of signs alone, cosines are exact, and ties many."""
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        features = rng.normal(size=(BATCH, DIM)).astype("float32")
        features = np.sign(features) if signs else features
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        yield rng.permutation(NUM_IMAGES)[:BATCH], unit


def on_replicas(strategy, function):
    """Runs a function of lists, with an array for each replica; returns lists of those here."""
    graph = tf.function(lambda *rows: strategy.run(function, args=rows), autograph=False)

    def run(*lists):
        rows = [tuple(map(tf.constant, shares)) for shares in lists]
        if strategy.num_replicas_in_sync > 1:
            share = strategy.experimental_distribute_values_from_function
            rows = [share(lambda c, r=r: r[c.replica_id_in_sync_group]) for r in rows]
        else:
            rows = [each for (each,) in rows]
        out = graph(*rows)
        return [[o.numpy() for o in strategy.experimental_local_results(each)] for each in out]

    return run


def visited(strategy, jit_compile=False, signs=False, **arguments):
    """A bank after these steps, and what was found in each, by all replicas in their order."""
    with strategy.scope():
        bank = NeighborBank(NUM_IMAGES, DIM, TOPK, **arguments)

    def step(indices, features):
        return bank.step(indices, features, jit_compile, when=tf.constant(True))

    run, found = on_replicas(strategy, step), []
    for indices, features in batches(signs):
        replicas = strategy.num_replicas_in_sync
        out = run(np.split(indices, replicas), np.split(features, replicas))
        found.append([np.concatenate(each) for each in out])
    return bank, [np.stack(each) for each in zip(*found, strict=True)]


def on_one_device(**arguments):
    """The same where there is but one replica."""
    return visited(tf.distribute.get_strategy(), **arguments)


def assert_equal(one, other, shares=slice(None)):
    """Similarities to 1e-6, and all ids: no two similarities are that close, or they are ties."""
    (bank, found), (expected_bank, expected) = other, one
    for ours, theirs in zip(
        [*found, *bank.tables()],
        [*(rows[:, shares] for rows in expected), *expected_bank.tables()],
        strict=True,
    ):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)


def main():
    """Four replicas, one bank after the other."""
    processor = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 4
    tf.config.set_logical_device_configuration(processor, devices)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(4)])
    for arguments in ({}, {"signs": True}, {"row_dtype": "float16"}, {"chunk_size": 2}):
        sharded = visited(strategy, sharded=True, **arguments)
        assert sharded[0].rows_kept.size == 6  # 6, 6, 6 and 3 of 21.
        assert_equal(on_one_device(**arguments), sharded)


if __name__ == "__main__":
    main()
