"""Nearest-neighbour accuracy of the teacher while it trains."""

import keras
import numpy as np

from keras_adasim.evaluation.features import embed
from keras_adasim.evaluation.knn import knn_accuracy


class OnlineKNN(keras.callbacks.Callback):
    """Logs `knn_top1` and `knn_top5` of the model's features at the end of epochs.

    Collapse looks calm in the loss of a self-distillation; here it shows.

    Args:
        train_source: labelled images whose features vote, a source of `keras_adasim.data`.
        test_source: labelled images that are classified. Without it a share `held_out` of
            `train_source`, drawn once, is classified by the rest.
        k: number of voting neighbours.
        every: epochs between two evaluations; the last epoch is always evaluated.
        max_images: at most so many images of each source, drawn once; all by default.
        batch_size: images embedded at a time.
        image_size: side in pixels that images are resized to; `None` if they share a size.
        held_out: share of `train_source`, used without `test_source`.
        seed: of both draws.
        temperature: of the votes.

    Raises:
        ValueError: a source has no labels, or there are fewer training images than k.
    """

    def __init__(
        self,
        train_source,
        test_source=None,
        k=20,
        every=1,
        max_images=None,
        batch_size=256,
        image_size=None,
        held_out=0.2,
        seed=0,
        temperature=0.07,
    ):
        super().__init__()
        for name, value in (("k", k), ("every", every), ("max_images", max_images)):
            if value is not None and (int(value) != value or value < 1):
                raise ValueError(f"Expected `{name}` to be a positive integer. Received: {value!r}")
        if not 0 < held_out < 1:
            raise ValueError(f"Expected `held_out` between 0 and 1. Received: {held_out!r}")
        self.train_source = train_source
        self.test_source = train_source if test_source is None else test_source
        self.k = k
        self.temperature = temperature
        self.every = every
        self.batch_size = batch_size
        self.image_size = image_size
        self._train = _draw("train_source", self.train_source, max_images, seed)
        if test_source is None:
            tests = max(1, round(held_out * len(self._train)))
            self._test, self._train = self._train[:tests], self._train[tests:]
        else:
            self._test = _draw("test_source", self.test_source, max_images, seed)
        # In order, for the disk's sake.
        self._train, self._test = np.sort(self._train), np.sort(self._test)
        if k > len(self._train):
            raise ValueError(
                f"Expected `k` to be at most {len(self._train)}, the number of training images. "
                f"Received: k={k}. Lower `k`, or raise `max_images`."
            )

    def on_epoch_end(self, epoch, logs=None):
        """Embeds both sets and adds the two accuracies to `logs`."""
        last = epoch + 1 == self.params.get("epochs")
        if logs is not None and (last or (epoch + 1) % self.every == 0):
            logs["knn_top1"], logs["knn_top5"] = self.evaluate()

    def evaluate(self, embed_fn=None):
        """Returns `(top1, top5)` of the model as it stands, or of other features.

        Args:
            embed_fn: uint8 images `(B, H, W, C)` -> features `(B, D)`; the model's by default.
        """
        train, test = self._train, self._test
        embed_fn = self.model.embed if embed_fn is None else embed_fn
        return knn_accuracy(
            self._embed(embed_fn, self.train_source, train),
            np.asarray(self.train_source.labels)[train],
            self._embed(embed_fn, self.test_source, test),
            np.asarray(self.test_source.labels)[test],
            k=self.k,
            temperature=self.temperature,
        )

    def _embed(self, embed_fn, source, indices):
        return embed(source, embed_fn, self.batch_size, self.image_size, indices=indices)


def _draw(name, source, max_images, seed):
    """Indices of the images used, in random order."""
    if source.labels is None:
        raise ValueError(
            f"Expected `{name}` with labels, which k-NN compares. Received: {name}.labels=None. "
            "Sort the images into one folder per class, or leave OnlineKNN out."
        )
    return np.random.default_rng(seed).permutation(len(source))[:max_images]
