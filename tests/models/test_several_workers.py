"""Several processes that train one model."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import callbacks, data, pairing
from keras_adasim.commands.worker_processes import WorkerProcesses
from keras_adasim.models.several_workers import _by_replica
from tests.layers import bank_on_replicas as banks
from tests.models import sharded_worker, tiny, worker

SCRIPT = pathlib.Path(worker.__file__).read_text()


@pytest.mark.large
def test_two_workers_equal_one_process(tmp_path):
    """Keras couldn't reduce their logs, and both were given the same half of the images."""
    processes = WorkerProcesses(2, [str(tmp_path)], script=SCRIPT)
    with processes.passing_signals():
        assert processes.run() == [0, 0], processes.last_lines(1)
    for name in worker.OBJECTIVES:
        alone = worker.train(name, tf.distribute.get_strategy())
        states = [dict(np.load(tmp_path / f"{name}-{place}.npz")) for place in range(2)]
        seen = [set(state.pop("seen")) for state in states]
        assert not seen[0] & seen[1]
        assert sorted(seen[0] | seen[1]) == alone.pop("seen") == list(range(tiny.NUM_IMAGES))
        for place, value in states[0].items():
            np.testing.assert_array_equal(value, states[1][place], err_msg=f"{name} {place}")
        tiny.assert_states_equal({k: np.asarray(v) for k, v in alone.items()}, states[0], 1e-5)
    # One was told to stop after the first step, the other hears of it: they stop together.
    told = [json.loads((tmp_path / f"told-{place}.json").read_text()) for place in range(2)]
    assert told == [{"steps": 3, "places": [0, 1]}] * 2


@pytest.mark.large
def test_two_workers_with_a_sharded_bank_go_on_with_the_run_of_one(tmp_path):
    folder = tmp_path / "run"
    sharded_worker.fit(sharded_worker.build(tf.distribute.get_strategy()), folder, 1)
    shutil.copytree(folder, tmp_path / "alone")
    script = pathlib.Path(sharded_worker.__file__).read_text()
    processes = WorkerProcesses(2, [str(tmp_path)], script=script)
    with processes.passing_signals():
        assert processes.run() == [0, 0], processes.last_lines(1)
    # The layer by itself: what each found, and what both read of the other's rows.
    bank, found = banks.on_one_device(row_dtype="float16")
    for place in range(2):
        visited = dict(np.load(tmp_path / f"visited-{place}.npz"))
        np.testing.assert_array_equal(visited["rows"], visited["expected"])
        share = slice(4 * place, 4 * place + 4)
        np.testing.assert_array_equal(visited["ids"], found[0][:, share])
        np.testing.assert_allclose(visited["similarities"], found[1][:, share], atol=1e-6)
        for i, table in enumerate(bank.tables()):
            np.testing.assert_allclose(visited[f"table{i}"], table, atol=1e-6)
    # The run: each wrote its shard, and another number of processes goes on.
    written = sorted(path.name for path in (folder / "epoch-2").glob("bank*"))
    assert written == ["bank-0-of-2.npz", "bank-1-of-2.npz"]
    assert not (folder / "epoch-3").exists()
    (folder / ".shards").unlink()
    restored = sharded_worker.build(tf.distribute.get_strategy())
    assert callbacks.Backup(folder).restore(restored) == 2
    logs = [json.loads((tmp_path / f"log-{place}.json").read_text()) for place in range(2)]
    assert logs[0] == logs[1]
    assert "File exists" in logs[0].pop("error")
    whole = sharded_worker.build(tf.distribute.get_strategy())
    alone = sharded_worker.fit(whole, tmp_path / "alone", 2)
    for place in range(2):
        trained = list(np.load(tmp_path / f"trained-{place}.npz").values())
        expected = [*whole.bank.tables(), *whole.pairing.records([1, 2])]
        for ours, restored_table in zip(trained, restored.bank.tables(), strict=False):
            np.testing.assert_array_equal(ours, restored_table)
        for ours, theirs in zip(trained, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert logs[0].keys() == alone.keys()
    assert logs[0]["staleness"] == pytest.approx(alone["staleness"], abs=1e-4)


def test_a_batch_is_split_in_its_order():
    pairs = data.PairDataset(data.ArraySource(tiny.images()), pairing.SelfPairing(), batch_size=8)
    whole = list(pairs)
    pairs.set_epoch(0)
    shared = _by_replica(pairs.as_tf_dataset(), 2)
    assert shared.cardinality() == 8
    parts = [part["indices"].numpy() for part in shared]
    np.testing.assert_array_equal(np.concatenate(parts[:2]), whole[0]["indices"])
    assert [len(part) for part in parts] == [4] * 8
