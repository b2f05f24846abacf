"""Training in several processes at once, each with its share of every batch."""

import zlib

import keras
import numpy as np
import tensorflow as tf

from keras_adasim.workers import check_equal, has_workers


def distribute(pairs, strategy):
    """The batches of a `PairDataset`, of which every worker decodes only its own share.

    Together the replicas of all workers see each batch in its order, as one process would.

    Args:
        pairs: The `PairDataset`, the same in all processes.
        strategy: The strategy.

    Returns:
        A `tf.data.Dataset`, or a `tf.distribute.DistributedDataset` where there are several
        workers.
    """
    if not has_workers(strategy):
        return pairs.as_tf_dataset()
    # Or TensorFlow would forget the batches' sizes, and ask all workers before every step whether
    # there is another batch. All have the same number of them, and none is a partial one.
    strategy.extended.experimental_enable_get_next_as_optional = False

    def share(context):
        dataset = pairs.as_tf_dataset(context.num_input_pipelines, context.input_pipeline_id)
        return _by_replica(dataset, context.num_replicas_in_sync // context.num_input_pipelines)

    return strategy.distribute_datasets_from_function(share)


def _by_replica(dataset, replicas):
    """Splits each batch into as many, which is how a strategy takes them from a function."""
    if replicas == 1:
        return dataset

    def split(batch):
        parts = tf.nest.map_structure(lambda rows: tf.stack(tf.split(rows, replicas)), batch)
        return tf.data.Dataset.from_tensor_slices(parts)

    count = dataset.cardinality() * replicas
    return dataset.flat_map(split).apply(tf.data.experimental.assert_cardinality(count))


def make_train_function(model):
    """A train function for Keras, whose own can't reduce scalars over workers.

    There is nothing to reduce: the training step's metrics are those of all replicas.

    Args:
        model: A compiled `SelfDistillation`.

    Returns:
        Function of an iterator, which makes one step.
    """
    strategy = model.distribute_strategy

    def train(iterator):
        logs = strategy.run(model.train_step, args=(iterator.get_next(),))
        return {name: strategy.experimental_local_results(v)[0] for name, v in logs.items()}

    return train if model.run_eagerly else tf.function(train, reduce_retracing=True)


class Agreement:
    """Whether any worker is to stop; all hear of it after the same step.

    Args:
        strategy: The strategy they train with.
    """

    def __init__(self, strategy):
        with strategy.scope():
            self._asked = tf.Variable(0.0, trainable=False)
            self._anyone = tf.Variable(0.0, trainable=False)
        self._last = None

    def exchange(self):
        """A part of the training step, in replica context."""
        replica = tf.distribute.get_replica_context()
        self._anyone.assign(replica.all_reduce("SUM", tf.identity(self._asked)))

    def reached(self, asked):
        """Tells the others from the next step on; returns whether any did by the step before.

        That step is done on the device, so that nothing is waited for.
        """
        seen, self._last = self._last, tf.identity(self._anyone)
        reached = seen is not None and float(seen) > 0
        if reached:
            self._last = None
            self._anyone.assign(0.0)
        if asked or reached:
            self._asked.assign(0.0 if reached else 1.0)
        return reached


class SameStart(keras.callbacks.Callback):
    """Looks before the first step whether all workers begin with the same, and go the same way.

    What they begin with is never sent around: each reads the run's folder for itself.

    Args:
        dataset: The `PairDataset`.
    """

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset
        self._looked = False

    def on_train_begin(self, logs=None):
        """Each `fit` has a start of its own."""
        self._looked = False

    def on_epoch_begin(self, epoch, logs=None):
        """Compares, once all callbacks have restored what there was."""
        if self._looked:
            return
        self._looked = True
        model, dataset = self.model, self.dataset
        values = {
            "epoch": epoch,
            "step": int(model.optimizer.iterations.numpy()),
            "batch_size": dataset.batch_size,
            "seed": dataset.seed,
            "images": len(dataset.source),
            "weights": _checksum(model.weights),
            "optimizer": _checksum(model.optimizer.variables),
            "pairing": _checksum(model.pairing.get_state(records=False).values()),
            "records": _checksum(map(model.pairing.epoch_records, model.pairing.epochs_kept())),
        }
        check_equal(
            model.distribute_strategy,
            values,
            "All must be started with the same settings, seeds and images, and read the same "
            "checkpoints: is the run's folder one that all of them share?",
        )


def _checksum(arrays):
    total = 0
    for array in arrays:
        if not isinstance(array, np.ndarray):
            array = keras.ops.convert_to_numpy(array)
        content = np.ascontiguousarray(array)
        total = zlib.crc32(content.view(np.uint8).data, total)
    return total
