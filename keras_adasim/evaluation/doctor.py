"""What features and small images tell of a data set: near-duplicates and outliers.

Every threshold follows from the images, and is returned to be shown.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.covariance import MinCovDet

from keras_adasim.evaluation.neighbor_search import find_neighbors
from keras_adasim.evaluation.small_images import detail_similarity
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_integer, check_number, check_numbers

# Pairs drawn to see how alike two images are by chance.
DRAWN = 20_000
# Below it, half of the details in common, no pair is called a duplicate.
LOWEST_THRESHOLD = 0.5
# Images that an estimate of how images look is made of.
FITTED = 10_000
# Color levels that an image of one color may span, as JPEG leaves some.
ONE_COLOR = 8


class Duplicates(NamedTuple):
    """Near-duplicates of N images.

    Attributes:
        pairs: (m, 2) int64 array, the smaller index first, most similar first.
        similarities: (m,) float32 array, those of the pairs.
        clusters: List of sorted int64 arrays, the images that belong together by pairs, the one
            with the smallest index first.
        threshold: Float. Pairs from it on are near-duplicates.
        chance: Float. Median similarity of two images drawn by chance.
        expected: Float. How many pairs above the threshold chance would give.
    """

    pairs: np.ndarray
    similarities: np.ndarray
    clusters: list
    threshold: float
    chance: float
    expected: float


def near_duplicates(features, gray, k=10, expected=0.01, seed=0):
    """Finds images that are copies of each other, also if shifted, resized or encoded again.

    Each image is compared in its details with the k images of the nearest features, and the k of
    the nearest 8 x 8 pixels, since neither can tell two copies from two images of one kind of
    thing. How alike two images are by chance, pairs drawn at random show. With
    z = artanh(similarity), the upper tail of their distribution is taken to fall exponentially, as
    it does from the 90th to the 99th percentile; the threshold is where `expected` of all
    N (N - 1) / 2 pairs would lie above it.

    Args:
        features: Floats (N, D), N >= 2; normalized inside.
        gray: Small versions of the images, uint8 (N, 32, 32), of `small_images.small_images`.
        k: Number of neighbors of either kind, or all where there are fewer.
        expected: How many pairs may be above the threshold by chance.
        seed: Seed of the pairs that are drawn.

    Returns:
        `Duplicates`.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Example:
        ```python
        rng = np.random.default_rng(0)
        gray, features = rng.integers(0, 256, (30, 32, 32), np.uint8), rng.normal(size=(30, 8))
        gray[29], features[29] = gray[4], features[4]
        ka.evaluation.doctor.near_duplicates(features, gray).clusters  # [array([4, 29])]
        ```
    """
    features = _normalized(features)
    gray = check_integers("gray", gray, (len(features), 32, 32), 256)
    check_integer("k", k)
    check_number("expected", expected, above=0)
    check_integer("seed", seed, minimum=0)
    number = len(features)
    k = min(k, number - 1)
    pairs = [_neighbor_pairs(rows, k) for rows in (features, _coarse(gray))]
    pairs = np.unique(np.concatenate(pairs), axis=0)
    similarities = detail_similarity(gray, pairs)
    by_chance = detail_similarity(gray, _drawn_pairs(number, seed))
    threshold = _threshold(by_chance, expected / (number * (number - 1) / 2))
    order = np.argsort(-similarities, kind="stable")
    order = order[similarities[order] >= threshold]
    pairs, similarities = pairs[order], similarities[order]
    clusters = connected(pairs, number)
    median = float(np.median(by_chance))
    return Duplicates(pairs, similarities, clusters, threshold, median, float(expected))


def connected(pairs, number):
    """Groups what pairs connect.

    Args:
        pairs: Integers (m, 2).
        number: How many there are in all.

    Returns:
        List of sorted int64 arrays of at least two, by their smallest member.
    """
    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    ones = np.ones(len(pairs), bool)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(number, number))
    _, groups = connected_components(graph, directed=False)
    members = np.unique(pairs)
    members = members[np.argsort(groups[members], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[members])) + 1
    clusters = np.split(members, starts) if len(members) else []
    return sorted(clusters, key=lambda cluster: cluster[0])


class Outliers(NamedTuple):
    """Images that are unlike all others.

    Attributes:
        indices: (n,) int64 array, the farthest first.
        distances: (N,) float array, how far every image is from the others.
        threshold: Float. Images above it are outliers.
        median: Float. Median of the distances.
    """

    indices: np.ndarray
    distances: np.ndarray
    threshold: float
    median: float


def far_from_neighbors(features, k=10, seed=0):
    """Finds images whose nearest neighbors are as far away as if they were drawn by chance.

    The mean cosine distance to the k nearest images is compared with the distances of pairs drawn
    at random: an outlier is farther from its neighbors than a quarter of such pairs are apart.

    Args:
        features: Floats (N, D), N >= 2; normalized inside.
        k: Number of neighbors whose mean distance counts; fewer than 20 k images have one for
            every 20 of them.
        seed: Seed of the pairs that are drawn.

    Returns:
        `Outliers`.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Example:
        ```python
        features = np.random.default_rng(0).normal(size=(50, 4)) * [9, 9, 1, 1]
        features[7] = [0, 0, 0, 9]
        ka.evaluation.doctor.far_from_neighbors(features).indices  # [7]
        ```
    """
    features = _normalized(features)
    check_integer("k", k)
    check_integer("seed", seed, minimum=0)
    number = len(features)
    k = min(k, max(1, number // 20))
    _, cosines = find_neighbors(features, features, k, leave_out_self=True)
    first, second = _drawn_pairs(number, seed).T
    by_chance = 1 - np.einsum("nd,nd->n", features[first], features[second])
    distances = np.maximum(1 - cosines.mean(axis=1), 0)
    return _above(distances, np.quantile(by_chance, 0.25))


def unlike_in_look(look, expected=2, seed=0):
    """Finds images that look like no other, such as pages of text among photographs, or noise.

    Features may not tell: a network maps what it has never seen to something that it has. The
    distance is that of Mahalanobis, from a mean and covariance of nine tenths of the images
    (minimum covariance determinant), so that the outliers don't hide themselves. The upper half of
    the distances is taken to fall exponentially, as it does from the median to the 90th
    percentile; the threshold is where `expected` of N images would lie above it.

    Args:
        look: Floats (N, d), statistics of how the images look, of `small_images.small_images`.
        expected: How many images may be above the threshold by chance.
        seed: Seed of the estimate.

    Returns:
        `Outliers`, or None of fewer than 10 images for each statistic, which are too few to tell.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Reference:
        - Rousseeuw and Van Driessen, "A Fast Algorithm for the Minimum Covariance Determinant
          Estimator", Technometrics 1999.

    Example:
        ```python
        look = np.random.default_rng(0).normal(size=(100, 2))
        look[7] = 40
        ka.evaluation.doctor.unlike_in_look(look).indices  # [7, ...]
        ```
    """
    look = _checked_rows("look", look).astype(np.float64)
    check_number("expected", expected, above=0)
    check_integer("seed", seed, minimum=0)
    look = _independent(look)
    number, size = look.shape
    if not size or number < 10 * size:
        return None
    sample = np.random.default_rng(seed).permutation(number)[:FITTED]
    estimate = MinCovDet(support_fraction=0.9, random_state=seed)
    with warnings.catch_warnings():
        # It warns of rounding in its own iterations.
        warnings.simplefilter("ignore")
        estimate.fit(look[np.sort(sample)])
    distances = np.sqrt(estimate.mahalanobis(look))
    median, high = np.quantile(distances, [0.5, 0.9])
    return _above(distances, _tail(median, high, 0.5, 0.1, expected / number))


def _above(distances, threshold):
    indices = np.flatnonzero(distances > threshold)
    indices = indices[np.argsort(-distances[indices], kind="stable")]
    return Outliers(indices, distances, float(threshold), float(np.median(distances)))


def _independent(rows):
    """Rows (N, d) in directions that differ, each with a variance of 1."""
    rows = rows - rows.mean(axis=0)
    rows = rows / np.maximum(rows.std(axis=0), 1e-6)
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    kept = values > 1e-4
    return rows @ vectors[:, kept] / np.sqrt(values[kept])


def one_color(span, levels=ONE_COLOR):
    """Indices of images of one color: (n,) levels that they span -> int64 array."""
    return np.flatnonzero(check_integers("span", span, (None,), 256) <= levels)


def _normalized(features):
    return l2_normalize(_checked_rows("features", features).astype(np.float32)).numpy()


def _checked_rows(name, rows):
    rows = check_numbers(name, rows)
    if rows.ndim != 2 or len(rows) < 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError(
            f"Expected `{name}` to be finite numbers of shape (images, size), of at least two "
            f"images. Received: {name} of shape {rows.shape}"
        )
    return rows


def _neighbor_pairs(rows, k):
    """Pairs (m, 2) of each image with its neighbors, the smaller index first."""
    ids, _ = find_neighbors(rows, rows, k, leave_out_self=True)
    return np.sort(np.stack([np.repeat(np.arange(len(ids)), k), ids.ravel()], axis=1), axis=1)


def _coarse(gray):
    """Small images as normalized rows of 8 x 8 pixels, without their means."""
    pixels = gray.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4), dtype=np.float32).reshape(-1, 64)
    return l2_normalize(pixels - pixels.mean(axis=1, keepdims=True)).numpy()


def _drawn_pairs(number, seed):
    """Pairs (m, 2) of two images each; all of them where they are few."""
    if number * (number - 1) // 2 <= DRAWN:
        return np.stack(np.triu_indices(number, 1), axis=1)
    first, step = np.random.default_rng(seed).integers([0, 1], number, (DRAWN, 2)).T
    return np.stack([first, (first + step) % number], axis=1)


def _threshold(similarities, share):
    """The similarity that a share of all pairs exceeds, by the tail of those drawn."""
    z = np.arctanh(np.minimum(similarities.astype(np.float64), 1 - 1e-6))
    threshold = np.tanh(_tail(*np.quantile(z, [0.9, 0.99]), 0.1, 0.01, share))
    return float(max(threshold, LOWEST_THRESHOLD))


def _tail(low, high, share_above_low, share_above_high, share):
    """Where a share lies above, by an exponential tail through two points of it."""
    scale = (high - low) / np.log(share_above_low / share_above_high)
    return low + scale * np.log(share_above_low / share)
