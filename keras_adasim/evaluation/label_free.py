"""Measures of features that need no labels: how many dimensions they use, how they spread.

All are pure functions in float64, whose products are worked out part after part.
"""

import numpy as np

from keras_adasim.validation import check_number, check_numbers

# Numbers held at a time; 32 MiB of float64.
CHUNK = 2**22
SMALLEST_EIGENVALUE = 1e-6


def rank_me(features):
    """Effective rank: how many dimensions the features use.

    The exponential of the entropy of the singular values, each as a share of their sum: D if all
    are equal, 1 if all features lie on one line through zero. Features that are all zero have 0.

    Args:
        features: Floats (n, D) of at least two images, as they are: neither centered nor
            normalized.

    Returns:
        Float from 0 to min(n, D); larger is better.

    Raises:
        ValueError: If `features` has another shape, one row, or values that aren't finite.

    Reference:
        - Garrido et al., "RankMe: Assessing the Downstream Performance of Pretrained
          Self-Supervised Representations by Their Rank", ICML 2023.

    Example:
        ```python
        ka.evaluation.label_free.rank_me(np.eye(8))  # 8.0
        ```
    """
    features = _checked("features", features)
    values = _singular_values(features)
    if not values.any():
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def alpha_req(features):
    """Decay of the spectrum: the exponent alpha of its power law, i ** -alpha.

    The slope of a straight line through the logarithms of the eigenvalues of the centered
    covariance over those of their ranks 1, 2, ..., by least squares, with its sign changed.
    Eigenvalues of at most 1e-6 of the largest are left out.

    Args:
        features: Floats (n, D) of at least two images.

    Returns:
        Float, positive. Near 1 is good: far above it few dimensions are used, far below it noise
        is. NaN where fewer than two eigenvalues are left.

    Raises:
        ValueError: If `features` has another shape, one row, or values that aren't finite.

    Reference:
        - Agrawal et al., "alpha-ReQ: Assessing Representation Quality in Self-Supervised Learning
          by Measuring Eigenspectrum Decay", NeurIPS 2022.

    Example:
        ```python
        ka.evaluation.label_free.alpha_req(np.random.default_rng(0).normal(size=(100, 8)))
        ```
    """
    features = _checked("features", features)
    mean = _mean(features)
    covariance = sum((chunk - mean).T @ (chunk - mean) for chunk in _chunks(features))
    eigenvalues = np.linalg.eigvalsh(covariance)[::-1]
    kept = eigenvalues[eigenvalues > SMALLEST_EIGENVALUE * eigenvalues[0]]
    if len(kept) < 2:
        return float("nan")
    x = np.log(np.arange(1, len(kept) + 1))
    x -= x.mean()
    return float(-np.sum(x * np.log(kept)) / np.sum(x * x))


def uniformity(features, t=2):
    """How evenly the features spread over the sphere.

    The logarithm of the mean of exp(-t |x - y|^2) over all pairs of different rows.

    Args:
        features: Floats (n, D) of at least two images; normalized here.
        t: Positive number, how fast the potential falls with the distance.

    Returns:
        Float of at most 0, which it is where all features are the same; smaller is more even.

    Raises:
        ValueError: If `features` has another shape, one row, or values that aren't finite, or `t`
            isn't positive.

    Reference:
        - Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and
          Uniformity on the Hypersphere", ICML 2020.

    Example:
        ```python
        ka.evaluation.label_free.uniformity(np.eye(8))  # -4.0: all distances are sqrt(2)
        ```
    """
    t = check_number("t", t, above=0)
    features = _unit_rows(_checked("features", features).astype(np.float64))
    count = len(features)
    squares = np.sum(features**2, axis=1)
    total, size = -np.inf, max(1, CHUNK // count)
    for start in range(0, count - 1, size):
        rows, others = slice(start, start + size), slice(start + 1, None)
        distances = squares[rows, None] + squares[others] - 2 * features[rows] @ features[others].T
        exponents = -t * np.maximum(distances, 0.0)
        exponents[np.tri(*exponents.shape, k=-1, dtype=bool)] = -np.inf  # Each pair once.
        largest = exponents.max()
        total = np.logaddexp(total, largest + np.log(np.exp(exponents - largest).sum()))
    return float(total - np.log(count * (count - 1) / 2))


def alignment(first, second):
    """How far apart two views of the same image lie.

    The mean of |x - y|^2 over the pairs.

    Args:
        first: Floats (n, D), features of one view of each image; normalized here.
        second: Floats (n, D), features of the other view of the same images.

    Returns:
        Float from 0 to 4; smaller is closer.

    Raises:
        ValueError: If the shapes differ or are others, or a value isn't finite.

    Reference:
        - Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and
          Uniformity on the Hypersphere", ICML 2020.

    Example:
        ```python
        ka.evaluation.label_free.alignment(np.eye(8), np.eye(8)[::-1])  # 2.0
        ```
    """
    first, second = _checked("first", first, 1), _checked("second", second, 1)
    if first.shape != second.shape:
        raise ValueError(
            "Expected `first` and `second` of one shape, two views of the same images. Received: "
            f"first.shape={first.shape}, second.shape={second.shape}"
        )
    chunks = zip(_chunks(first), _chunks(second), strict=True)
    return float(sum(np.sum((_unit_rows(x) - _unit_rows(y)) ** 2) for x, y in chunks) / len(first))


def _checked(name, features, fewest=2):
    """The features as a float array, once their shape and values are known to be sound."""
    features = check_numbers(name, features)
    if features.ndim != 2 or len(features) < fewest or not features.shape[1]:
        raise ValueError(
            f"Expected `{name}` of shape (images, size), with at least "
            f"{'two images' if fewest == 2 else 'one image'}. "
            f"Received: {name}.shape={features.shape}"
        )
    if features.dtype.kind != "f":
        features = features.astype(np.float64)
    if not np.isfinite(features).all():
        raise ValueError(
            f"Expected finite `{name}`. Received NaN or infinity: has the training diverged?"
        )
    return features


def _chunks(features):
    """Yields the rows in float64, part after part."""
    size = max(1, CHUNK // features.shape[1])
    for start in range(0, len(features), size):
        yield features[start : start + size].astype(np.float64)


def _mean(features):
    """Mean of the rows; exactly theirs if all are the same, or rounding would be a spectrum."""
    first = features[0].astype(np.float64)
    return first + sum(np.sum(chunk - first, axis=0) for chunk in _chunks(features)) / len(features)


def _singular_values(features):
    """Singular values (min(n, D),) of the features, falling.

    Parts of many rows are replaced by the triangle of their QR decomposition, which has the same
    ones; the eigenvalues of their products would lose half of the digits.
    """
    chunks = _chunks(features)
    rows = next(chunks)
    for chunk in chunks:
        rows = np.linalg.qr(np.concatenate([rows, chunk]), mode="r")
    return np.linalg.svd(rows, compute_uv=False)


def _unit_rows(features):
    """Rows of length 1 in float64, where `layers.preprocessing.l2_normalize` is float32."""
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
