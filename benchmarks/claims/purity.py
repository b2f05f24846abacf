"""How often partners behind the gate, and nearest neighbors, are of an image's class."""

import keras
import numpy as np

from keras_adasim.evaluation.bootstrapping import nearest_others


class GatePurity(keras.callbacks.Callback):
    """Logs what the labels say of the coming epoch's partners.

    - `behind_gate`: purity of the partners that are other images, which only an open gate lets in;
    - `nearest`: purity of the nearest other images, of all images;
    - `nearest_open`: the same, of the images whose gate is open.

    A measure of no image is left out. All are in the run's `log.csv`.

    Args:
        labels: Labels (N,) of the training images, which train nothing.
        every: Epochs between two measurements; the last epoch is always measured.
    """

    def __init__(self, labels, every):
        super().__init__()
        self.labels, self.every = np.asarray(labels), every

    def on_epoch_end(self, epoch, logs=None):
        """Adds the measures to `logs`, once the epoch's records are in the pairing."""
        if logs is not None and self._is_due(epoch):
            logs.update(self.evaluate())

    def evaluate(self):
        """Returns a dict of floats."""
        own = np.arange(len(self.labels))
        pairing = self.model.pairing
        neighbors = nearest_others(*map(np.asarray, self.model.bank.records()))
        values = {"nearest": self._purity(own, neighbors)}
        if hasattr(pairing, "distribution"):
            values["behind_gate"] = self._purity(own, pairing.partners(own))
            is_open = np.flatnonzero(pairing.distribution(own)[2])
            values["nearest_open"] = self._purity(is_open, neighbors[is_open])
        return {name: value for name, value in values.items() if not np.isnan(value)}

    def _purity(self, images, partners):
        others = images != partners
        right = self.labels[images[others]] == self.labels[partners[others]]
        return float(np.mean(right)) if len(right) else float("nan")

    def _is_due(self, epoch):
        return epoch + 1 == self.params.get("epochs") or (epoch + 1) % self.every == 0
