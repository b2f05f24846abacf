"""A bank shared out among replicas, against a whole one."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.layers import NeighborBank
from tests.layers import bank_on_replicas as banks

CASES = {
    "plain": {},
    "compiled": {"jit_compile": True},
    "in chunks": {"chunk_size": 3},
    "compiled in chunks": {"jit_compile": True, "chunk_size": 3},
    "ties": {"signs": True},
    "float16": {"row_dtype": "float16"},
}


@pytest.mark.parametrize("case", CASES)
def test_two_replicas_find_what_one_finds(case, two_replicas):
    arguments = CASES[case]
    sharded = banks.visited(two_replicas, sharded=True, **arguments)
    banks.assert_equal(banks.on_one_device(**arguments), sharded)
    rows = sharded[0].rows_kept
    # 11 and 10 rows of 21, and one where each writes what isn't its own.
    assert [copy.shape[0] for copy in rows.tables[0].values] == [12, 12]
    assert [rows.bounds(shard) for shard in range(2)] == [(0, 11), (11, 21)]


def test_one_replica_has_all_rows():
    banks.assert_equal(banks.on_one_device(), banks.on_one_device(sharded=True))


@pytest.mark.large
def test_four_replicas_find_what_one_finds():
    done = subprocess.run(
        [sys.executable, "-m", "tests.layers.bank_on_replicas"],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_fewer_rows_than_replicas_and_more_neighbors_than_rows_of_one(two_replicas):
    with two_replicas.scope():
        small = NeighborBank(1, 4, 1, sharded=True), NeighborBank(5, 4, 5, sharded=True)
    unit = np.eye(4, dtype="float32")

    def step(indices):
        return small[1].step(indices, tf.gather(unit, indices))

    run = banks.on_replicas(two_replicas, step)
    for pair in ([1, 2], [0, 3]):
        run([np.array([image]) for image in pair])
    ids, _ = run([np.array([2]), np.array([3])])
    np.testing.assert_array_equal(np.concatenate(ids), [[2, 0, 1, 3, 4], [3, 0, 1, 2, 4]])
    assert small[0].rows_kept.bounds(1) == (1, 1)
    assert small[0].tables()[0].shape == (1, 4)


def test_replicas_with_unequal_shares_of_a_batch(two_replicas):
    """The layer may be called with any batch, also by those that don't know its size."""
    with two_replicas.scope():
        bank = NeighborBank(6, 4, 2, sharded=True)

    def call(indices, features):
        everyone = tf.where(indices >= 0)[:, 0]
        indices, features = tf.gather(indices, everyone), tf.gather(features, everyone)
        assert indices.shape[0] is features.shape[0] is None
        return bank(indices, features)

    run = banks.on_replicas(two_replicas, call)
    rows = np.split(np.array([4, 0, 5]), [2]), np.split(np.eye(3, 4, dtype="float32"), [2])
    run(*rows)
    assert [ids[:, 0].tolist() for ids in run(*rows)[0]] == [[4, 0], [5]]


def test_tables_are_read_and_written_whole(two_replicas):
    rng = np.random.default_rng(0)
    with two_replicas.scope():
        bank = NeighborBank(7, 3, 2, sharded=True, row_dtype="float16")
    tables = (
        rng.normal(size=(7, 3)).astype("float16"),
        rng.integers(0, 7, (7, 2)),
        rng.random((7, 2), np.float32),
    )
    bank.set_weights(tables)
    for read in (bank.get_weights(), (bank.features, bank.ids, bank.similarities)):
        for found, expected in zip(read, tables, strict=True):
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(bank.rows([6, 0, 4]), tables[0][[6, 0, 4]])
    assert bank.rows([6]).dtype == np.float32
    np.testing.assert_array_equal(bank.records()[0], tables[1])
    with pytest.raises(ValueError, match="`weights` to be a bank's tables"):
        bank.set_weights(bank.get_weights()[:2])
    # Every replica has its own values: they are no weights, of which there is but one.
    assert bank.variables == []
    whole = NeighborBank.from_config({**bank.get_config(), "sharded": False})
    whole.set_weights(bank.get_weights())
    np.testing.assert_array_equal(whole.features, tables[0])
    assert whole.rows_kept.memory_bytes() == 7 * (3 * 2 + 2 * 12)
    assert bank.rows_kept.memory_bytes() == 5 * (3 * 2 + 2 * 12)


def test_a_call_by_others_than_it_was_built_for_is_refused(two_replicas):
    with two_replicas.scope():
        bank = NeighborBank(6, 4, 2, sharded=True)
    with pytest.raises(ValueError, match=r"`sharded` to be called by 2 replicas.*by 1\. Build"):
        bank(np.arange(2), np.eye(2, 4))
