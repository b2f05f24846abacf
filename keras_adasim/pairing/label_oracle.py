"""The upper bound: partners chosen by label."""

import numpy as np

from keras_adasim.following import follow
from keras_adasim.pairing.draws import uniform
from keras_adasim.pairing.pairing import Pairing
from keras_adasim.pairing.registry import register
from keras_adasim.validation import check_integer


@register("oracle")
class LabelOracle(Pairing):
    """Pairs every image with a random image of the same label, which may be the image itself.

    It uses the labels that self-supervised training does without, and so bounds from above what a
    pairing can gain. Partners are drawn afresh after every push; `push()` without arguments is
    enough, since no bank is needed.

    The labels are part of the state and not of the config, which would otherwise hold a number
    per image. An oracle from a config pairs every image with itself until `set_state`, and then
    those that come later.

    Args:
        labels: (N,) int array.
        seed: Seed of the draws.
        keys: Names of the images, kept with the state, or None; see `Pairing`.

    Example:
        ```python
        pairing = ka.pairing.LabelOracle(labels=np.array([0, 1, 0, 1]))
        print(pairing.partners(np.arange(4)))  # Of each image one with its label.
        pairing.push()  # The next epoch draws others.
        ```
    """

    def __init__(self, labels, seed=0, keys=None):
        labels = np.asarray(labels)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or not labels.size:
            raise ValueError(
                "Expected `labels` to be a non-empty vector of integers, one for every image. "
                f"Received: labels of shape {labels.shape} and dtype {labels.dtype}"
            )
        super().__init__(labels.size, keys)
        self.seed = check_integer("seed", seed, minimum=0)
        self._set_labels(labels.astype(np.int64))
        self._knows_labels = True

    def get_config(self):
        """Returns the number of images and the seed; the labels are in the state."""
        return {**super().get_config(), "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        """Builds an oracle whose labels are all different, until `set_state` brings its own."""
        num_images = check_integer("num_images", config["num_images"])
        oracle = cls(np.arange(num_images), config["seed"])
        oracle._knows_labels = False
        return oracle

    def _set_labels(self, labels):
        self._labels = labels
        _, self._group, self._size = np.unique(labels, return_inverse=True, return_counts=True)
        self._start = np.cumsum(self._size) - self._size
        self._by_label = np.argsort(labels, kind="stable")

    def _draw(self, indices):
        group = self._group[indices]
        # The largest draw below 1 may round up to the group's size.
        place = (uniform(self.seed, self._pushes, indices) * self._size[group]).astype(np.int64)
        place = np.minimum(place, self._size[group] - 1)
        return self._by_label[self._start[group] + place]

    def _arrays(self):
        return {"labels": self._labels}

    def _restore(self, arrays):
        self._set_labels(arrays["labels"].copy())
        self._knows_labels = True

    def _follow(self, arrays, previous):
        if self._knows_labels:
            return self._arrays()  # The labels of the images now.
        none = arrays["labels"].max() + 1 + np.arange(len(previous))
        return {"labels": np.where(previous < 0, none, follow(arrays["labels"], previous))}
