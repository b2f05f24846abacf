"""The end of an epoch: the bank's records go into the pairing."""

import keras


class PushNeighbors(keras.callbacks.Callback):
    """Pushes the bank's records into the pairing, and tells the data set which epoch begins.

    `SelfDistillation.fit` puts it first, so that any backup of the epoch already holds its votes.

    Args:
        dataset: A `PairDataset`, or None.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((8, 4, 4, 3), "uint8"))
        dataset = ka.data.PairDataset(source, ka.pairing.SelfPairing(), batch_size=4)
        callback = ka.callbacks.PushNeighbors(dataset)  # for a training loop without `fit`
        ```
    """

    def __init__(self, dataset=None):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        """Order and draws of an epoch are those of its number, in a resumed run and a second `fit`.

        The optimizer's steps count the epochs: they are in the checkpoint. An epoch that was broken
        off is begun again, unless a checkpoint within it is gone on from.
        """
        if self.dataset is not None:
            step = int(self.model.optimizer.iterations.numpy())
            first_step = getattr(self.model, "first_step", 0)
            self.dataset.set_epoch(step // len(self.dataset), first_step)

    def on_epoch_end(self, epoch, logs=None):
        """Reads the records from the device, once per epoch."""
        watch = getattr(self.model, "finite_watch", None)
        if watch is not None:  # Not in a training loop of one's own.
            watch.look(wait=True)
        bank = self.model.bank
        if bank is None:
            self.model.pairing.push(None, None)
        else:
            self.model.pairing.push(*bank.records())
