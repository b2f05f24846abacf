"""What labels tell of partners: how often they are right, by class, and who is taken for whom."""

import dataclasses

import numpy as np

from keras_adasim.pairing.validation import check_integers, check_similarities
from keras_adasim.validation import check_labels


@dataclasses.dataclass(frozen=True)
class ClassPurity:
    """How often images are paired with one of their own class, beside others that they could be.

    An image that is paired with itself, or has no neighbor, is counted in none of the purities.

    Attributes:
        classes: (C,) array, the labels.
        images: (C,) int64 array, images of each class.
        bootstrapped: (C, C) int64 array, how many images of a class (row) have a partner, another
            image, of a class (column).
        neighbor_counts: (C, 2) int64 array, images with a nearest neighbor, and those whose
            neighbor is of their class.
    """

    classes: np.ndarray
    images: np.ndarray
    bootstrapped: np.ndarray
    neighbor_counts: np.ndarray

    @property
    def partner_purity(self):
        """(C,) share of the partners that are of the class; NaN without any."""
        return _shares(np.diag(self.bootstrapped), self.bootstrapped.sum(axis=1))

    @property
    def neighbor_purity(self):
        """(C,) share of the nearest neighbors that are of the class; NaN without any."""
        return _shares(self.neighbor_counts[:, 1], self.neighbor_counts[:, 0])

    @property
    def chance(self):
        """(C,) share of all other images that are of the class."""
        return _shares(self.images - 1, np.full(len(self.images), self.images.sum() - 1))

    def overall(self):
        """Dict of `partner`, `neighbor` and `chance` to tuples of purity and standard error.

        The oracle's is 1. Chance is that of the images as they are, without an error.
        """
        paired, (counted, right) = self.bootstrapped.sum(), self.neighbor_counts.sum(axis=0)
        total = self.images.sum()
        chance = float(np.sum(self.images / total * np.nan_to_num(self.chance)))
        return {
            "partner": _with_error(np.trace(self.bootstrapped), paired),
            "neighbor": _with_error(right, counted),
            "chance": (chance, 0.0),
        }


def class_purity(labels, partners, neighbors=None):
    """Compares partners and nearest neighbors with labels.

    Args:
        labels: Labels (N,).
        partners: Integers (N,), the partner of every image, or the image itself.
        neighbors: Integers (N,), the nearest neighbor of every image that is another one, or the
            image itself where there is none; None if they aren't known.

    Returns:
        `ClassPurity`.

    Raises:
        ValueError: If a shape or type is another one.

    Example:
        ```python
        purity = ka.evaluation.bootstrapping.class_purity([0, 0, 1, 1], partners=[1, 2, 2, 3])
        purity.bootstrapped  # [[1, 1], [0, 0]]
        ```
    """
    labels = check_labels("labels", labels)
    partners = check_integers("partners", partners, (None,))
    if len(labels) != len(partners):
        raise ValueError(
            "Expected `labels` and `partners` of the same images. Received: "
            f"labels.shape={labels.shape}, partners.shape={partners.shape}"
        )
    check_integers("partners", partners, (None,), len(labels))
    own = np.arange(len(labels))
    neighbors = own if neighbors is None else neighbors
    neighbors = check_integers("neighbors", neighbors, labels.shape, len(labels))
    classes, codes = np.unique(labels, return_inverse=True)
    size = len(classes)
    paired, known = np.flatnonzero(partners != own), np.flatnonzero(neighbors != own)
    cells = codes[paired] * size + codes[partners[paired]]
    right = known[codes[known] == codes[neighbors[known]]]
    counts = [np.bincount(codes[rows], minlength=size) for rows in (known, right)]
    return ClassPurity(
        classes=classes,
        images=np.bincount(codes, minlength=size),
        bootstrapped=np.bincount(cells, minlength=size**2).reshape(size, size),
        neighbor_counts=np.stack(counts, axis=1),
    )


def nearest_others(ids, similarities):
    """The first neighbor of every image that is another one and was ever written.

    Args:
        ids: Integers (N, k), as `NeighborBank.records` has them.
        similarities: Floats (N, k), falling; 0 where there is no neighbor.

    Returns:
        (N,) int64 array, the image itself where there is none.
    """
    ids = check_integers("ids", ids, (None, None))
    similarities = check_similarities("similarities", similarities, ids.shape)
    own = np.arange(len(ids))
    eligible = (ids != own[:, None]) & (similarities != 0)
    return np.where(eligible.any(axis=1), ids[own, eligible.argmax(axis=1)], own)


def _shares(part, whole):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _with_error(right, count):
    """A share of so many, and its standard error; NaN of none."""
    if not count:
        return float("nan"), float("nan")
    share = float(right / count)
    return share, float(np.sqrt(share * (1 - share) / count))
