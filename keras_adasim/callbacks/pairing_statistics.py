"""What the pairing does, epoch by epoch."""

import keras
import numpy as np


class PairingStatistics(keras.callbacks.Callback):
    """Logs the statistics of a `SelfDistillation`'s pairing at the end of every epoch.

    These are `gate_open`, the share of images that may get another image as their partner, and
    `partner_is_self`, as far as the pairing has them. Training uses no labels, but given them two
    more shares tell whether its neighbours are good ones:

    - `neighbor_purity`: of the neighbours that the bank recorded, those with the image's label;
      an image's own older self and rows never written are left out, and it is NaN while there is
      no other;
    - `partner_purity`: of the images, those whose partner has the image's label.

    Args:
        labels: `(N,)` labels of the training images, or `None`.
    """

    def __init__(self, labels=None):
        super().__init__()
        self.labels = None if labels is None else np.asarray(labels)

    def on_train_begin(self, logs=None):
        """Refuses labels of another data set.

        Raises:
            ValueError: there isn't one label per image.
        """
        images = self.model.pairing.num_images
        if images is None and self.model.bank is not None:
            images = self.model.bank.num_images
        if self.labels is not None and self.labels.shape != (images or len(self.labels),):
            raise ValueError(
                f"Expected `labels` of shape ({images},), one per training image. "
                f"Received: labels.shape={self.labels.shape}. Pass the source's `labels`."
            )

    def on_epoch_end(self, epoch, logs=None):
        """Adds the statistics to `logs`."""
        if logs is None:
            return
        logs.update(self.model.pairing.statistics())
        if self.labels is None:
            return
        logs["partner_purity"] = self._partner_purity()
        if self.model.bank is not None:
            logs["neighbor_purity"] = self._neighbor_purity()

    def _partner_purity(self):
        partners = self.model.pairing.partners(np.arange(len(self.labels)))
        return float(np.mean(self.labels[partners] == self.labels))

    def _neighbor_purity(self):
        ids, similarities = self.model.bank.records()
        images = np.arange(len(ids))[:, None]
        written = similarities != 0
        counted = written & (ids != images)
        if not counted.any():
            return float("nan")
        return float(np.mean((self.labels[ids] == self.labels[images])[counted]))
