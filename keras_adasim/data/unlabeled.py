"""A source whose labels nobody asks for."""

import numpy as np

from keras_adasim.data.subset import Subset


class Unlabeled(Subset):
    """All images of another source, whose labels are not read.

    Args:
        source: `Source`.
        why: String. Why there are no labels.
    """

    def __init__(self, source, why):
        super().__init__(source, np.arange(len(source)))
        self.class_names = None
        self._why = why

    @property
    def labels(self):
        """None."""
        return None

    @property
    def why_unlabeled(self):
        """Why there are no labels."""
        return self._why
