"""Random numbers that are a pure function of (seed, push, image)."""

import numpy as np

# The constants of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
# generators", 2014).
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)


def uniform(seed, pushes, indices):
    """Draws one number for every image, whatever the order or batch it is asked in.

    A counter-based generator: the counter (seed, pushes, index) is hashed, so nothing has to be
    kept between two calls and threads need not agree on an order.

    Args:
        seed: Non-negative integer.
        pushes: Number of pushes so far; another one gives fresh draws.
        indices: (n,) array of image ids.

    Returns:
        (n,) float64 array in [0, 1).
    """
    stream = _mix(_mix(np.full(1, seed, np.uint64)) + np.uint64(pushes))
    # Two rounds, since neighboring ids and neighboring streams would share bits after one.
    words = _mix(_mix(indices.astype(np.uint64)) + stream)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choose(ids, probabilities, draws):
    """Chooses one id of every row.

    Args:
        ids: (n, k) int array.
        probabilities: (n, k) floats; each row sums to 1, but for rounding.
        draws: (n,) floats in [0, 1).

    Returns:
        (n,) int array.
    """
    edges = probabilities.cumsum(axis=1)
    edges /= edges[:, -1:]  # to exactly 1, which no draw reaches
    place = np.count_nonzero(draws[:, None] >= edges, axis=1)
    return ids[np.arange(len(ids)), place]


def _mix(words):
    words = words + _INCREMENT
    words = (words ^ (words >> np.uint64(30))) * _FIRST_FACTOR
    words = (words ^ (words >> np.uint64(27))) * _SECOND_FACTOR
    return words ^ (words >> np.uint64(31))
