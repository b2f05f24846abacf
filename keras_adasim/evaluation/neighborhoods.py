"""What the recorded neighbors of images tell, epoch by epoch: pure functions of NumPy arrays.

A record is a pair of arrays (n, k) as `NeighborBank.records` returns them, ids and similarities.
A similarity of exactly 0 is that of a row never written, which is nobody's neighbor; nor is an
image its own.
"""

import numpy as np

from keras_adasim.pairing.validation import check_integers, check_similarities
from keras_adasim.validation import check_labels


def neighbor_churn(ids, similarities, earlier_ids, earlier_similarities, images=None):
    """Share of the neighbors that were not there in an earlier record of the same image.

    Args:
        ids: Integers (n, k), the neighbors of n images.
        similarities: Floats (n, k), 0 where there is no neighbor.
        earlier_ids: Integers (n, k), the neighbors of the same images an epoch before.
        earlier_similarities: Floats (n, k).
        images: Integers (n,), the images' own ids; 0 to n - 1 by default.

    Returns:
        Float from 0, where no image has a new neighbor, to 1; images without any neighbor in
        the earlier record are left out. NaN if no neighbor is left.

    Raises:
        ValueError: If the shapes don't fit each other.
    """
    ids, similarities = _checked(ids, similarities, (None, None))
    earlier_ids, earlier_similarities = _checked(
        earlier_ids, earlier_similarities, ids.shape, prefix="earlier_"
    )
    images = np.arange(len(ids)) if images is None else images
    images = check_integers("images", images, (len(ids),))
    counted = _are_neighbors(ids, similarities, images)
    known = _are_neighbors(earlier_ids, earlier_similarities, images)
    earlier = np.where(known, earlier_ids, -1)
    counted &= known.any(axis=1, keepdims=True)
    is_old = np.zeros(counted.shape, bool)
    for column in earlier.T:  # Less memory than all comparisons at once.
        is_old |= ids == column[:, None]
    return _share(~is_old, counted)


def neighbor_purity(ids, similarities, labels, images=None):
    """Share of the neighbors that have the image's label.

    Args:
        ids: Integers (n, k), the neighbors of n images.
        similarities: Floats (n, k), 0 where there is no neighbor.
        labels: Labels (N,) of all images.
        images: Integers (n,), the images' own ids; 0 to N - 1 by default.

    Returns:
        Float from 0 to 1, or NaN if there is no neighbor.

    Raises:
        ValueError: If the shapes don't fit each other.
    """
    ids, similarities = _checked(ids, similarities, (None, None))
    labels = check_labels("labels", labels, len(ids) if images is None else None)
    images = np.arange(len(ids)) if images is None else images
    images = check_integers("images", images, (len(ids),), len(labels))
    counted = _are_neighbors(ids, similarities, images)
    return _share(labels[ids] == labels[images, None], counted)


def _checked(ids, similarities, shape, prefix=""):
    ids = check_integers(f"{prefix}ids", ids, shape)
    return ids, check_similarities(f"{prefix}similarities", similarities, ids.shape)


def _are_neighbors(ids, similarities, images):
    return (similarities != 0) & (ids != images[:, None])


def _share(flags, counted):
    return float(np.mean(flags[counted])) if counted.any() else float("nan")
