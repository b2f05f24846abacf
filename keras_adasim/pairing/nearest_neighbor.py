"""Naive nearest-neighbor bootstrapping."""

import numpy as np

from keras_adasim.following import follow, new_ids
from keras_adasim.pairing.pairing import Pairing
from keras_adasim.pairing.registry import register
from keras_adasim.pairing.validation import check_integers, check_similarities
from keras_adasim.validation import check_integer


@register("nearest")
class NearestNeighbor(Pairing):
    """Pairs every image with the top neighbor of its latest record that is not the image itself.

    There is neither window nor gate, and partners are used from the second epoch on. This is the
    arm that the AdaSim paper reports to hurt or collapse self-distillation: a baseline, not a
    recommendation. An image without a record, or whose neighbors are rows of the bank that were
    never written (their similarity is exactly 0), is paired with itself.

    Args:
        num_images: Number of images N.
        topk: Number of neighbors k in a record.
        keys: Names of the images, kept with the state, or None; see `Pairing`.

    Example:
        ```python
        pairing = ka.pairing.NearestNeighbor(num_images=3, topk=2)
        pairing.push(np.array([[0, 2], [1, 0], [2, 1]]), np.full((3, 2), 0.9))
        print(pairing.partners(np.arange(3)))  # [2 0 1]
        ```
    """

    needs_neighbors = True

    def __init__(self, num_images, topk=10, keys=None):
        super().__init__(check_integer("num_images", num_images), keys)
        self.topk = check_integer("topk", topk)
        self._partners = np.arange(self.num_images)

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {**super().get_config(), "topk": self.topk}

    def _record(self, ids, similarities):
        shape = (self.num_images, self.topk)
        ids = check_integers("ids", ids, shape, self.num_images)
        similarities = check_similarities("similarities", similarities, shape)
        own = np.arange(self.num_images)
        eligible = (ids != own[:, None]) & (similarities != 0)
        first = eligible.argmax(axis=1)
        self._partners[...] = np.where(eligible[own, first], ids[own, first], own)

    def _draw(self, indices):
        return self._partners[indices]

    def _arrays(self):
        return {"partners": self._partners}

    def _follow(self, arrays, previous):
        partners = arrays["partners"]
        partners = follow(new_ids(previous, len(partners))[partners], previous)
        own = np.arange(self.num_images)
        return {"partners": np.where((previous < 0) | (partners < 0), own, partners)}
