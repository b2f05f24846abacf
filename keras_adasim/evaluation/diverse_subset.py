"""Which images to label first: some that cover the others, or that are typical of them."""

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans

from keras_adasim.evaluation.neighbor_search import find_neighbors
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.validation import check_integer, check_numbers

# Up to so many images k-means sees all of them in every iteration.
MOST_AT_ONCE = 20_000


def k_center(features, n):
    """Chooses images so that no other is far from all of them.

    Greedily: first the image that is most like the mean, then always the one that is farthest from
    all that are chosen, by cosine; of equal ones the first. The largest distance that is left is
    at most twice the smallest possible.

    Args:
        features: Floats (N, D); normalized inside.
        n: How many to choose, at most N.

    Returns:
        int64 array (n,) of indices, in the order of choice.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Reference:
        - Gonzalez, "Clustering to Minimize the Maximum Intercluster Distance", 1985; Sener and
          Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR
          2018.

    Example:
        ```python
        features = np.random.default_rng(0).normal(size=(50, 8))
        ka.evaluation.diverse_subset.k_center(features, 5)
        ```
    """
    features, n = _checked(features, n)
    chosen = [int(np.argmax(features @ features.mean(axis=0)))]
    nearest = features @ features[chosen[0]]
    while len(chosen) < n:
        nearest[chosen[-1]] = np.inf
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, features @ features[chosen[-1]])
    return np.array(chosen)


def typical(features, n, k=20, seed=0):
    """Chooses images that many others are like, each of another kind.

    The images are put into n clusters (k-means), and of each cluster the one is taken whose mean
    distance to its k nearest images is smallest; the largest cluster comes first.

    Args:
        features: Floats (N, D); normalized inside.
        n: How many to choose, at most N.
        k: Number of neighbors that say how typical an image is, or all where there are fewer.
        seed: Seed of k-means.

    Returns:
        int64 array (n,) of indices.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range, or there are
            fewer different features than `n`.

    Reference:
        - Hacohen et al., "Active Learning on a Budget: Opposite Strategies Suit High and Low
          Budgets", ICML 2022.

    Example:
        ```python
        features = np.random.default_rng(0).normal(size=(50, 8))
        ka.evaluation.diverse_subset.typical(features, 5)
        ```
    """
    features, n = _checked(features, n)
    check_integer("k", k)
    check_integer("seed", seed, minimum=0)
    if len(features) < 2:
        return np.zeros(1, np.int64)
    k = min(k, len(features) - 1)
    _, cosines = find_neighbors(features, features, k, leave_out_self=True)
    kind = KMeans if len(features) <= MOST_AT_ONCE else MiniBatchKMeans
    clusters = kind(n, n_init=1, random_state=seed).fit_predict(features)
    order = np.lexsort((-cosines.mean(axis=1), clusters))
    found, first, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    if len(found) < n:
        raise ValueError(
            f"Expected `n` to be at most {len(found)}, as many as images differ. Received: n={n}"
        )
    return order[first[np.argsort(-sizes, kind="stable")]]


def _checked(features, n):
    features = check_numbers("features", features).astype(np.float32)
    if features.ndim != 2 or not features.size or not np.isfinite(features).all():
        raise ValueError(
            "Expected `features` to be finite numbers of shape (images, size). "
            f"Received: features of shape {features.shape}"
        )
    if check_integer("n", n) > len(features):
        raise ValueError(
            f"Expected `n` to be at most {len(features)}, the number of images. Received: n={n}"
        )
    return l2_normalize(features).numpy(), n
