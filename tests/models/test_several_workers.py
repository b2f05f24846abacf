"""Several processes that train one model."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import data, pairing
from keras_adasim.commands.worker_processes import WorkerProcesses
from keras_adasim.models.several_workers import _by_replica
from tests.models import tiny, worker

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


def test_a_batch_is_split_in_its_order():
    pairs = data.PairDataset(data.ArraySource(tiny.images()), pairing.SelfPairing(), batch_size=8)
    whole = list(pairs)
    pairs.set_epoch(0)
    shared = _by_replica(pairs.as_tf_dataset(), 2)
    assert shared.cardinality() == 8
    parts = [part["indices"].numpy() for part in shared]
    np.testing.assert_array_equal(np.concatenate(parts[:2]), whole[0]["indices"])
    assert [len(part) for part in parts] == [4] * 8
