"""The paper's first figure in numbers: images, their ranked neighbors, and how those came in."""

import dataclasses

import numpy as np

from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_choice, check_has, check_integer, check_numbers

CHOICES = ("seed", "just_opened", "churns", "surest")
# Images that are looked at together, and at most for a choice.
CHUNK, MOST = 4096, 100_000
# p_win of another image below which nobody would call a choice sure.
LEAST = 0.01


@dataclasses.dataclass(frozen=True)
class Neighbors:
    """The ranked neighbors of n images.

    Attributes:
        queries: (n,) int64 array, the images.
        ids: (n, k) int64 array, their neighbors, the strongest first; -1 where there is none.
        similarities: (n, k) float array, cosines; of a window the mean over it, in which an epoch
            without that neighbor counts as 0.
        probabilities: (n, k) float array, p_win, by which a partner is drawn; or None.
        is_open: (n,) bool array, whether the gate is open; or None where there is none.
        is_full: (n,) bool array, whether the image has a record of every epoch; or None.
        history: (n, k, w) bool array, whether the neighbor was among the top k in each of the last
            w epochs, oldest first; or None.
    """

    queries: np.ndarray
    ids: np.ndarray
    similarities: np.ndarray
    probabilities: np.ndarray | None = None
    is_open: np.ndarray | None = None
    is_full: np.ndarray | None = None
    history: np.ndarray | None = None


def by_window(pairing, queries):
    """Neighbors that a window of epochs agrees on.

    Args:
        pairing: `AdaptiveWindow`.
        queries: (n,) integers, images.

    Returns:
        `Neighbors`, with all that a window tells.

    Raises:
        ValueError: If the pairing has no window, or an image is none of its own.

    Example:
        ```python
        pairing = ka.pairing.AdaptiveWindow(num_images=3, window=2, topk=2, temperature=0.1)
        for epoch in range(2):
            pairing.push(np.array([[0, 1], [1, 0], [2, 0]]), np.array([[0.9, 0.8]] * 3))
        ka.evaluation.gallery.by_window(pairing, [0]).history  # [[[True, True], [True, True]]]
        ```
    """
    check_has("pairing", pairing, "an `AdaptiveWindow`", "distribution", "records")
    queries = check_integers("queries", queries, (None,), pairing.num_images)
    ids, probabilities, is_open = pairing.distribution(queries)
    recorded, similarities = pairing.records(queries)
    ids = np.where(_is_repeated(ids), -1, ids)
    found = recorded[:, None] == ids[:, :, None, None]  # (n, k, w, k)
    sums = np.sum(found * similarities[:, None], axis=(2, 3))
    full = (recorded >= 0).any(axis=2).sum(axis=1) >= pairing.window
    return Neighbors(
        queries=queries,
        ids=ids,
        similarities=sums / pairing.window,
        probabilities=probabilities,
        is_open=is_open,
        is_full=full,
        history=found.any(axis=3),
    )


def by_cosine(features, queries, k=10):
    """Neighbors by the cosine of their features.

    Args:
        features: Floats (N, D).
        queries: (n,) integers, rows of `features`.
        k: Number of neighbors, the image itself among them.

    Returns:
        `Neighbors` without what a window tells.

    Raises:
        ValueError: If a shape is another one, a feature isn't finite, or there are fewer than k
            images.

    Example:
        ```python
        ka.evaluation.gallery.by_cosine(np.eye(3) + 0.1, [2], k=2).ids  # [[2, 0]]
        ```
    """
    features = check_numbers("features", features)
    if features.ndim != 2 or check_integer("k", k) > len(features):
        raise ValueError(
            f"Expected `features` of shape (images, size), with at least k={k} images. "
            f"Received: features.shape={features.shape}"
        )
    queries = check_integers("queries", queries, (None,), len(features))
    chosen = _unit_rows(features[queries])
    cosines = np.empty((len(queries), len(features)), np.float32)
    for start in range(0, len(features), CHUNK):
        rows = slice(start, start + CHUNK)
        cosines[:, rows] = chosen @ _unit_rows(features[rows]).T
    if not np.isfinite(cosines).all():
        raise ValueError("Expected finite `features`. Received: NaN or infinity")
    ids = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return Neighbors(queries, ids, np.take_along_axis(cosines, ids, axis=1))


def choose(num_images, count, how="seed", pairing=None, earlier=None, seed=0):
    """Draws images to show.

    Of more than 100,000 images so many are looked at, drawn by the seed.

    Args:
        num_images: Number of images N.
        count: How many to choose; there may be fewer that fit.
        how: `"seed"`: any; `"surest"`: those with an open gate whose likeliest other image has the
            largest p_win; `"churns"`: those whose window names the most different neighbors;
            `"just_opened"`: those with an open gate, which `earlier` has closed.
        pairing: `AdaptiveWindow`, which all but the first need.
        earlier: The same as it was an epoch before, for `"just_opened"`.
        seed: Seed of the draw.

    Returns:
        (n,) int64 array of images, n <= count.

    Raises:
        ValueError: If an argument is wrong, or something is missing.

    Example:
        ```python
        ka.evaluation.gallery.choose(num_images=10, count=3, seed=1)
        ```
    """
    check_choice("how", how, CHOICES)
    drawn = np.random.default_rng(check_integer("seed", seed, minimum=0))
    drawn = drawn.permutation(check_integer("num_images", num_images))
    count = min(check_integer("count", count), num_images)
    if how == "seed":
        return np.sort(drawn[:count])
    check_has("pairing", pairing, f"an `AdaptiveWindow` for how={how}", "distribution", "records")
    if how == "just_opened":
        check_has("earlier", earlier, "the pairing an epoch before", "distribution")
    drawn = np.sort(drawn[:MOST])
    starts = range(0, len(drawn), CHUNK // 8)
    rows = [drawn[start : start + CHUNK // 8] for start in starts]
    scores = np.concatenate([_scores(how, pairing, earlier, indices) for indices in rows])
    order = np.argsort(-scores, kind="stable")[:count]
    return drawn[order[scores[order] > 0]]


def _scores(how, pairing, earlier, indices):
    """How well images fit a choice; 0 if they don't."""
    if how == "churns":
        ids = np.sort(pairing.records(indices)[0].reshape(len(indices), -1), axis=1)
        return np.count_nonzero(np.diff(ids, axis=1, prepend=-1), axis=1)
    ids, probabilities, is_open = pairing.distribution(indices)
    if how == "just_opened":
        is_open &= ~earlier.distribution(indices)[2]
        return is_open.astype(float)
    others = np.where(ids == indices[:, None], 0.0, probabilities).max(axis=1)
    return np.where(is_open & (others > LEAST), others, 0.0)


def _is_repeated(ids):
    """Places that hold nobody: there the image itself stands again."""
    first = ids == ids[:, :1]
    return first & (np.cumsum(first, axis=1) > 1)


def _unit_rows(features):
    rows = features.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
