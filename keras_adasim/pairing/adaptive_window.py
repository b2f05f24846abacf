"""Adaptive similarity bootstrapping."""

import os

import numpy as np

from keras_adasim.pairing.candidates import effective_number, own_id_first, softmax
from keras_adasim.pairing.draws import choose, uniform
from keras_adasim.pairing.registry import register
from keras_adasim.pairing.validation import check_integers
from keras_adasim.pairing.vote import vote_of
from keras_adasim.pairing.windowed_pairing import WindowedPairing
from keras_adasim.validation import check_integer, check_number


@register("adasim")
class AdaptiveWindow(WindowedPairing):
    """Pairs an image with a neighbor that a window of epochs agrees on, once it can be trusted.

    For every image the similarities of each neighbor are added up over the last W epochs and
    divided by W. If the strongest of them is the image itself, the latent space is judged good
    enough around it: the gate is open, and the partner is drawn from the softmax over the k
    strongest. Otherwise, and before W epochs have been pushed, an image is paired with itself.

    Ties go to the smaller id. A neighbor missing from an epoch adds nothing for it. When images
    come or go, the gate of a new one stays closed until it has W records of its own.

    Args:
        num_images: Number of images N.
        window: Number of epochs W that vote.
        topk: Number of neighbors k in a record, and of candidates.
        temperature: Temperature of the softmax. 0 pairs every image with itself.
        seed: Seed of the draws.
        keys: Names of the images, kept with the state, or None; see `Pairing`.
        directory: Folder for the records of a window that memory is too small for, which are files
            there, or None. Partners are then drawn in the background, image after image.

    Reference:
        - [AdaSim](https://github.com/tileb1/AdaSim), `DatasetFolderAdaSim.__getitem__`; the tie
          rule is ours.

    Example:
        ```python
        pairing = ka.pairing.AdaptiveWindow(num_images=4, window=2, topk=2, temperature=0.1)
        ids = np.array([[0, 1], [1, 0], [2, 3], [2, 3]])  # The last image isn't its own neighbor.
        for epoch in range(2):
            pairing.push(ids, np.array([[0.9, 0.8]] * 4))
        ids, probabilities, gate = pairing.distribution(np.arange(4))
        print(gate, pairing.partners(np.arange(4)))  # The gate of the last image is closed.
        ```
    """

    def __init__(
        self,
        num_images,
        window=50,
        topk=10,
        temperature=1e-3,
        seed=0,
        keys=None,
        directory=None,
    ):
        super().__init__(num_images, window, topk, keys, directory)
        self.seed = check_integer("seed", seed, minimum=0)
        self.temperature = check_number("temperature", temperature, minimum=0)

    def distribution(self, indices):
        """Returns the distributions that partners are drawn from.

        Args:
            indices: (n,) int array of image ids.

        Returns:
            Tuple of the candidates' ids, (n, k) int64, by falling similarity; their
            probabilities, (n, k) float64, each row summing to 1; and whether the gate is open,
            (n,) bool. With a closed gate the image itself comes first with 1, then the other
            candidates with 0. Places without a candidate hold the image itself with 0.
        """
        indices = check_integers("indices", indices, (None,), self.num_images)
        with self._lock:
            return self._distribution(indices)

    def _distribution(self, indices):
        ids, sums, found = vote_of(self._window, indices, min(self._pushes, self.window))
        # Of a full window the next slot is the oldest.
        is_full = self._window.is_recorded(indices, self._pushes % self.window)
        is_full &= self._pushes >= self.window
        is_open = (ids[:, 0] == indices) & found[:, 0] & is_full
        similarities = sums / (self._window.scale * self.window)
        probabilities = softmax(similarities, found, self.temperature)
        ids = np.where(found, ids, indices[:, None])
        closed = np.flatnonzero(~is_open)
        ids[closed] = own_id_first(ids[closed], indices[closed])
        probabilities[closed] = np.arange(self.topk) == 0
        return ids, probabilities, is_open

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "seed": self.seed,
        }

    def _drawn(self, indices):
        return self._draw_and_weigh(indices)[0]

    def _draw_and_weigh(self, indices):
        """Partners, and the effective number of candidates of each image with an open gate."""
        if self._pushes < self.window:
            return indices, np.zeros(0)
        ids, probabilities, is_open = self._distribution(indices)
        partners = choose(ids, probabilities, uniform(self.seed, self._pushes, indices))
        return partners, effective_number(probabilities[is_open])

    def _measure(self):
        partners, candidates = self._of_sample(self._draw_and_weigh, os.cpu_count() or 1)
        statistics = {
            "gate_open": len(candidates) / len(partners),
            **self._statistics_of(partners),
        }
        if len(candidates):
            statistics["effective_candidates"] = float(candidates.mean())
        return statistics
