"""Who several processes are, and what they hear of each other; two of them: tests/models."""

import json

import pytest
import tensorflow as tf

from keras_adasim import workers
from keras_adasim.pretraining import devices

JOBS = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}


def config(cluster, kind="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ([], 0)),
        ("{}", ([], 0)),
        (config(JOBS, index=1), (["a:1", "b:2", "c:3"], 2)),
        (config(JOBS, kind="chief"), (["a:1", "b:2", "c:3"], 0)),
        (config({"worker": ["b:2", "c:3"]}), (["b:2", "c:3"], 0)),
    ],
)
def test_the_environment_names_all_and_this_one(monkeypatch, text, expected):
    monkeypatch.setenv("TF_CONFIG", text)
    assert workers.cluster() == expected
    assert workers.is_chief() == (expected[1] == 0)
    assert workers.is_chief("mirrored")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        config(JOBS, index=2),
        config(JOBS, kind="ps"),
        config({"worker": ["b"]}),
        config({"worker": 3}),
        json.dumps({"cluster": JOBS}),
    ],
)
def test_a_damaged_environment_is_named(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="Expected the environment's TF_CONFIG to be"):
        workers.cluster()


def test_alone_there_is_nobody_to_tell():
    strategy = tf.distribute.get_strategy()
    assert workers.told_by_all(strategy, 3) == [3]
    assert workers.told_by_chief(strategy, lambda: 4) == 4
    workers.check_equal(strategy, {"seed": 1}, "")


def test_what_differs_is_named(monkeypatch):
    told = [{"seed": 1, "epochs": 2}, {"seed": 1, "epochs": 3}]
    monkeypatch.setattr(workers, "told_by_all", lambda *_: told)
    message = (
        "`epochs` to be the same on all workers. Received: epochs=2 on worker 0, 3 on worker 1"
    )
    with pytest.raises(ValueError, match=message):
        workers.check_equal(None, told[0], "Start all with the same command.")


@pytest.mark.parametrize(
    ("message", "index", "lost"),
    [
        ("Error information from remote target /job:worker/replica:0/task:1", 0, "worker 1 (b:2)"),
        ("reported from /job:worker/task:0: task:1 stopped sending heartbeats", 0, "worker 1"),
        ("Deadline Exceeded RPC: /tensorflow.CoordinationService/Heartbeat", 1, "worker 0 (a:1)"),
    ],
)
def test_a_lost_worker_is_named(monkeypatch, message, index, lost):
    monkeypatch.setenv("TF_CONFIG", config({"worker": ["a:1", "b:2"]}, index=index))
    monkeypatch.setattr(workers, "has_workers", lambda strategy: True)
    error = tf.errors.UnavailableError(None, None, message)
    with pytest.raises(workers.WorkerLostError) as raised, workers.names_the_lost(None):
        raise error
    assert f"no answer from {lost}" in str(raised.value)


def test_errors_of_one_process_stay_as_they_are():
    error = tf.errors.UnavailableError(None, None, "something else")
    with (
        pytest.raises(tf.errors.UnavailableError),
        workers.names_the_lost(tf.distribute.get_strategy()),
    ):
        raise error


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("", 0, "keras-adasim launch --workers=2 -- pretrain"),
        (config(JOBS), 2, "Expected `devices` from 0 to 1 with several workers"),
        (config(JOBS), 0, "Expected `strategy`=multiworker before TensorFlow runs anything"),
    ],
)
def test_what_cannot_be_several_workers_is_refused(monkeypatch, text, number, message):
    monkeypatch.setenv("TF_CONFIG", text)
    tf.constant(0)  # TensorFlow has run something.
    with pytest.raises(ValueError, match=message):
        devices.make_strategy(number, "multiworker")


def test_mirrored_heeds_no_other_processes(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config(JOBS))
    assert devices.make_strategy(1, "mirrored") is tf.distribute.get_strategy()


def test_runs_of_one_process_share_a_strategy(two_replicas):
    """A second one's collective operations were taken for the first one's: "Shape mismatch"."""
    assert devices.make_strategy(2, "mirrored") is two_replicas
