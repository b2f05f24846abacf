"""Which images are copies of others: pooled patch tokens, whitened, and how good the scores are."""

import numpy as np
from sklearn.metrics import average_precision_score

from keras_adasim.validation import check_booleans, check_integer, check_number, check_numbers

SMALLEST_EIGENVALUE = 1e-5


def micro_average_precision(scores, is_match, num_matches=None):
    """Average precision of all queries' pairs in one ranking.

    So a score must mean the same for every query. Pairs of equal scores are taken together.

    Args:
        scores: Floats (n,), the similarity of each retrieved pair of a query and a reference.
        is_match: Booleans (n,), whether the reference is one of those that the query was made of.
        num_matches: Integer. How many pairs match, with those that were never retrieved; None if
            all of them are in `is_match`.

    Returns:
        Float in [0, 1]; NaN if no pair matches at all.

    Raises:
        ValueError: If the shapes differ, a score isn't finite, or more pairs match than
            `num_matches`.

    Reference:
        - Douze et al., "The 2021 Image Similarity Dataset and Challenge", 2021.

    Example:
        ```python
        ka.evaluation.copy_detection.micro_average_precision(
            [0.9, 0.7, 0.3], [True, False, True], num_matches=4
        )  # (1 + 2 / 3) / 4
        ```
    """
    scores, is_match = _checked_pairs(scores, is_match)
    found = int(is_match.sum())
    if num_matches is None:
        num_matches = found
    elif check_integer("num_matches", num_matches, minimum=0) < found:
        raise ValueError(
            "Expected `num_matches` to count all matches, those of `is_match` too. Received: "
            f"num_matches={num_matches}, where `is_match` has {found}"
        )
    if not num_matches:
        return float("nan")
    if not found:
        return 0.0
    return float(average_precision_score(is_match, scores)) * found / num_matches


def _checked_pairs(scores, is_match):
    scores, is_match = check_numbers("scores", scores), check_booleans("is_match", is_match, 1)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(
            "Expected `scores` to be a vector of finite numbers. "
            f"Received: scores of shape {scores.shape}"
        )
    if is_match.shape != scores.shape:
        raise ValueError(
            "Expected `scores` and `is_match` of as many pairs. "
            f"Received: {len(scores)} scores, {len(is_match)} booleans"
        )
    return scores, is_match


def gem_pool(tokens, power=4.0, smallest=1e-6):
    """Generalized mean of patch tokens: mean(max(tokens, smallest) ** power) ** (1 / power).

    Args:
        tokens: Floats (B, P, D).
        power: Exponent, 1 for the mean; the larger, the more the maximum counts.
        smallest: What smaller numbers, negative ones among them, are raised to.

    Returns:
        Array (B, D) of the tokens' type.

    Raises:
        ValueError: If `tokens` has another shape, or a number isn't positive.

    Reference:
        - Radenovic et al., "Fine-Tuning CNN Image Retrieval with No Human Annotation", 2018; with
          a power of 4 in `eval_copy_detection.py` of the official DINO code.

    Example:
        ```python
        ka.evaluation.copy_detection.gem_pool(np.ones((2, 16, 8)))  # Ones (2, 8).
        ```
    """
    tokens = check_numbers("tokens", tokens)
    check_number("power", power, above=0)
    check_number("smallest", smallest, above=0)
    if tokens.ndim != 3 or not tokens.shape[1] or tokens.dtype.kind != "f":
        raise ValueError(
            "Expected `tokens` to be floats of shape (images, patches, size). "
            f"Received: tokens of shape {tokens.shape} and dtype {tokens.dtype}"
        )
    powers = np.maximum(tokens, np.asarray(smallest, tokens.dtype)) ** power
    return powers.mean(axis=1) ** (1 / power)


class Whitening:
    """Principal components of distractors, each scaled to a variance of 1.

    With their mean m, and eigenvectors V and eigenvalues d of their covariance, a feature x becomes
    diag(d ** -1/2) V^T (x - m). Eigenvalues below 1e-5 of the largest are raised to that.

    Args:
        distractors: Floats (n, D), features of images that no query is a copy of. Normalize them
            first, as the others.
        dim: Integer. How many components are kept; all D by default.

    Raises:
        ValueError: If `distractors` aren't at least two finite rows, all of them are equal, or
            `dim` is above D.

    Reference:
        - Jegou and Chum, "Negative Evidences and Co-occurrences in Image Retrieval: The Benefit of
          PCA and Whitening", ECCV 2012; `utils.PCA` of the official DINO code.

    Example:
        ```python
        distractors = np.random.default_rng(0).normal(size=(50, 8))
        whitening = ka.evaluation.copy_detection.Whitening(distractors, dim=4)
        whitening(np.ones((2, 8))).shape  # (2, 4)
        ```
    """

    def __init__(self, distractors, dim=None):
        features = _rows("distractors", distractors)
        size = features.shape[1]
        self.dim = size if dim is None else check_integer("dim", dim)
        if self.dim > size:
            raise ValueError(f"Expected `dim` to be at most {size}. Received: dim={dim}")
        self.mean = features.mean(axis=0)
        features = features - self.mean
        values, vectors = np.linalg.eigh(features.T @ features / len(features))
        if len(features) < 2 or not values[-1] > 0:
            raise ValueError(
                "Expected `distractors` of at least two images that differ. "
                f"Received: distractors.shape={features.shape}, all rows equal"
            )
        values = np.maximum(values, SMALLEST_EIGENVALUE * values[-1])
        largest = slice(None, -self.dim - 1, -1)
        self.projection = (vectors / np.sqrt(values))[:, largest]

    def __call__(self, features):
        """Whitens features: floats (n, D) -> float32 (n, dim), which are to be normalized again."""
        features = _rows("features", features)
        if features.shape[1] != len(self.mean):
            raise ValueError(
                f"Expected `features` of {len(self.mean)} numbers, as the distractors have. "
                f"Received: features.shape={features.shape}"
            )
        return ((features - self.mean) @ self.projection).astype(np.float32)


def _rows(name, features):
    features = check_numbers(name, features).astype(np.float64)
    if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
        raise ValueError(
            f"Expected `{name}` to be finite numbers of shape (images, size). "
            f"Received: {name} of shape {features.shape}"
        )
    return features
