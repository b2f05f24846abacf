"""Parts of a labeled set in which every class has its share."""

import numpy as np

from keras_adasim.validation import check_integer, check_labels, check_number


def stratified_split(labels, share, seed=0):
    """Holds a share of every class out.

    Of a class of n images max(1, round(share * n)) are held out, but never all: a class of one
    image stays.

    Args:
        labels: Labels (N,), any integers or strings.
        share: Share that is held out, in (0, 1).
        seed: Non-negative integer, of the draw.

    Returns:
        Two sorted int64 arrays `(kept, held_out)` of indices.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ```python
        kept, held_out = ka.evaluation.splits.stratified_split([0, 0, 0, 0, 1, 1, 1, 1], 0.25)
        len(kept), len(held_out)  # 6, 2
        ```
    """
    labels = check_labels("labels", labels)
    share = check_number("share", share, above=0, below=1)
    places, counts = places_in_class(labels, seed)
    most = np.minimum(np.maximum(1, np.round(share * counts)), counts - 1)
    held_out = places < most
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def places_in_class(labels, seed):
    """Puts the images of every class into a random order.

    Args:
        labels: Array (N,) of labels.
        seed: Non-negative integer, of the draw.

    Returns:
        Two (N,) int64 arrays: each image's place in its class' order, from 0, and the number of
        images that the class has.

    Raises:
        ValueError: If `seed` is none.
    """
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = rng.permutation(len(labels))
    order = order[np.argsort(classes[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    places = np.empty(len(labels), np.int64)
    places[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    return places, counts[classes]
