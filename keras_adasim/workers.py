"""Several processes that train one model: which one this is, and what they tell each other."""

import contextlib
import json
import os
import re

import numpy as np
import tensorflow as tf

# What TensorFlow raises in the others when one is killed, or doesn't answer for some seconds.
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
)


class WorkerLostError(RuntimeError):
    """Another worker was killed, frozen, cut off or failed: the training can't go on without it.

    Example:
        ```python
        images = np.zeros((8, 8, 8, 3), "uint8")
        try:
            ka.pretrain(images, "run", backbone="vit_mini", epochs=2, dry_run=True)
        except ka.WorkerLostError as error:
            print(error)  # Start all workers again: the run goes on from its checkpoint.
        ```
    """


def cluster():
    """What the environment's `TF_CONFIG` says of this process and the others.

    Returns:
        Tuple of the addresses of all workers, the chief's first, and the place of this process
        among them; an empty list and 0 without `TF_CONFIG`.

    Raises:
        ValueError: If it is damaged, or this process isn't among them.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text or "{}")
        jobs = config.get("cluster", {})
        places = [(job, i) for job in ("chief", "worker") for i in range(len(jobs.get(job, ())))]
        if not places:
            return [], 0
        place = places.index((config["task"]["type"], int(config["task"]["index"])))
        addresses = [jobs[job][i] for job, i in places]
        if not all(re.fullmatch(r".+:\d+", address) for address in addresses):
            raise ValueError("an address that isn't host:port")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(
            'Expected the environment\'s TF_CONFIG to be {"cluster": {"worker": ["host:port", '
            '...]}, "task": {"type": "worker", "index": i}}, with another index i from 0 on in '
            f"every process. Received: TF_CONFIG={text}"
        ) from None
    return addresses, place


def is_chief(strategy="auto"):
    """Whether this process writes the run's files; to be asked before there is a strategy.

    Args:
        strategy: The setting of this name: "auto", "mirrored" or "multiworker".
    """
    return strategy == "mirrored" or cluster()[1] == 0


def has_workers(strategy):
    """Whether a `tf.distribute.Strategy` trains in processes that exchange what they compute."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def told_by_all(strategy, value):
    """Tells all workers something, and hears what they have to tell; all must call it.

    Args:
        strategy: The strategy they train with.
        value: What JSON can hold.

    Returns:
        List of all workers' values, the chief's first.
    """
    if not has_workers(strategy):
        return [value]
    replicas = len(strategy.extended.worker_devices)
    workers = strategy.num_replicas_in_sync // replicas

    def of_all(numbers):
        """(n,) of this worker to (workers, n) of all."""

        def table(context):
            rows = np.zeros((workers, len(numbers)), np.int32)
            worker, replica = divmod(context.replica_id_in_sync_group, replicas)
            if replica == 0:
                rows[worker] = numbers
            return tf.constant(rows)

        tables = strategy.experimental_distribute_values_from_function(table)
        return strategy.reduce("SUM", tables, axis=None).numpy()

    content = np.frombuffer(json.dumps(value, default=float).encode(), np.uint8)
    lengths = of_all([len(content)])[:, 0]
    rows = of_all(np.pad(content, (0, lengths.max() - len(content)))).astype(np.uint8)
    return [json.loads(row[:n].tobytes()) for row, n in zip(rows, lengths, strict=True)]


def told_by_chief(strategy, function):
    """What `function()` returns on the chief, on all workers; the others wait for it.

    Args:
        strategy: The strategy they train with.
        function: Function without arguments; with several workers it returns what JSON can hold.
    """
    if not has_workers(strategy):
        return function()
    return told_by_all(strategy, function() if strategy.extended.should_checkpoint else None)[0]


def check_equal(strategy, values, mend):
    """Raises ValueError on all workers unless each has the same; all must call it.

    Args:
        strategy: The strategy they train with.
        values: Dict of what JSON can hold.
        mend: Sentence for the message.
    """
    told = told_by_all(strategy, values)
    for name in dict.fromkeys(name for each in told for name in each):
        found = [each.get(name) for each in told]
        if any(value != found[0] for value in found):
            other = next(i for i, value in enumerate(found) if value != found[0])
            raise ValueError(
                f"Expected `{name}` to be the same on all workers. Received: {name}={found[0]} on "
                f"worker 0, {found[other]} on worker {other}. {mend}"
            )


@contextlib.contextmanager
def names_the_lost(strategy):
    """Raises WorkerLostError where TensorFlow says at length that another worker is gone."""
    try:
        yield
    except LOST as error:
        if not has_workers(strategy):
            raise
        addresses, place = cluster()
        tasks = {int(number) for number in re.findall(r"/task:(\d+)", error.message)} - {place}
        # What watches over the others is a part of the first worker.
        lost = min(tasks, default=0 if place else 1)
        address = f" ({addresses[lost]})" if lost < len(addresses) else ""
        raise WorkerLostError(
            f"Expected all {len(addresses)} workers to go on together. Received: no answer from "
            f"worker {lost}{address}, which was killed, frozen or cut off, or failed; its own "
            "output may say why. Start all of them again with the same command: the run goes on "
            "from its checkpoint."
        ) from error
