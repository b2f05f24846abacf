"""What few labels are enough for: logistic regression on frozen features."""

import dataclasses
import warnings

import numpy as np

from keras_adasim.evaluation.splits import places_in_class, stratified_split
from keras_adasim.evaluation.standard_error import standard_error
from keras_adasim.validation import (
    check_each,
    check_integer,
    check_labels,
    check_number,
    check_numbers,
    check_one_size,
)

# Inverse strengths of the regularization, from strong to weak: each solution starts the next.
STRENGTHS = tuple(10.0**power for power in range(-5, 3))
VALIDATION_SHARE = 0.2
# Products of a step that are too few for several threads.
SMALL = 10**8


def class_balanced_subset(labels, share, seed):
    """Draws a share of a set, the same number of images from every class.

    That number is max(1, round(share * N / C)) for N images of C classes; of a class that has
    fewer, all are taken. With the same seed a smaller subset is part of a larger one.

    Args:
        labels: Labels (N,), any integers or strings.
        share: Share of all images, in (0, 1].
        seed: Non-negative integer, of the draw.

    Returns:
        Sorted int64 array of indices.

    Raises:
        ValueError: If an argument is out of range, or there is no image.

    Example:
        ```python
        labels = np.arange(200) % 4
        subset = ka.evaluation.few_labels.class_balanced_subset(labels, 0.1, seed=0)
        np.bincount(labels[subset])  # [5, 5, 5, 5]
        ```
    """
    labels = _checked_labels("labels", labels)
    share = check_number("share", share, above=0, maximum=1)
    count = max(1, round(share * len(labels) / len(np.unique(labels))))
    return subset_per_class(labels, count, seed)


def subset_per_class(labels, count, seed):
    """Draws so many images of every class, or all where a class has fewer.

    Args:
        labels: Labels (N,), any integers or strings.
        count: Images per class.
        seed: Non-negative integer, of the draw.

    Returns:
        Sorted int64 array of indices.

    Raises:
        ValueError: If an argument is out of range, or there is no image.

    Example:
        ```python
        ka.evaluation.few_labels.subset_per_class(["cat", "dog"] * 50, 5, seed=0)
        ```
    """
    labels = _checked_labels("labels", labels)
    count = check_integer("count", count)
    places, _ = places_in_class(labels, seed)
    return np.flatnonzero(places < count)


@dataclasses.dataclass(frozen=True)
class Regression:
    """What a logistic regression came to.

    Attributes:
        top1: Accuracy on the test images, in [0, 1].
        standard_error: Its standard error.
        strength: Inverse strength of the regularization that was chosen, scikit-learn's `C`.
        validation: Accuracy on the validation part with it; None where no image could be spared.
    """

    top1: float
    standard_error: float
    strength: float
    validation: float | None


def logistic_regression(
    train_features,
    train_labels,
    test_features,
    test_labels,
    strengths=STRENGTHS,
    seed=0,
):
    """Classifies frozen features by scikit-learn's logistic regression.

    The regularization is the one that does best on a fifth of the training images, the same share
    of every class; the stronger one of equals. With it all of them are fitted. Where no class has
    two images nothing can be held out, and it is 1. Features are normalized to the length sqrt(D),
    so that the strengths mean the same for every backbone.

    Args:
        train_features: Floats (N, D).
        train_labels: Labels (N,) of two classes or more, any integers or strings.
        test_features: Floats (M, D).
        test_labels: Labels (M,); one that no training image has is never met.
        strengths: Inverse strengths to choose from, positive numbers.
        seed: Non-negative integer, of the draw of the fifth.

    Returns:
        A `Regression`.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Reference:
        - Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021,
          whose evaluation with few labels is a logistic regression on frozen features.

    Example:
        ```python
        rng, labels = np.random.default_rng(0), np.arange(60) % 3
        features = rng.normal(size=(60, 8)) + np.eye(8)[labels]
        regression = ka.evaluation.few_labels.logistic_regression(
            features[:40], labels[:40], features[40:], labels[40:]
        )
        regression.top1, regression.standard_error
        ```
    """
    train = _scaled("train_features", train_features)
    test = _scaled("test_features", test_features)
    train_labels = _checked_labels("train_labels", train_labels, len(train))
    test_labels = check_labels("test_labels", test_labels, len(test))
    check_one_size(train, test)
    check_two_classes("train_labels", train_labels)
    strengths = sorted(check_each("strengths", strengths, check_number, above=0))
    kept, held_out = stratified_split(train_labels, VALIDATION_SHARE, seed)
    strength, validation = 1.0, None
    if len(held_out):
        part = train[kept], train_labels[kept], train[held_out], train_labels[held_out]
        strength, validation = _best_strength(*part, strengths)
    (top1,) = _accuracies(train, train_labels, test, test_labels, [strength])
    return Regression(top1, standard_error(top1, len(test)), strength, validation)


def check_two_classes(name, labels):
    """Raises ValueError unless there are two classes at least.

    Args:
        name: Name of the argument, for the error.
        labels: Array of labels.
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(
            f"Expected `{name}` of at least two classes to tell apart. Received: {name} of "
            f"{len(classes)}, {classes[0]!r}"
        )


def _best_strength(train, train_labels, test, test_labels, strengths):
    """The strength with the largest accuracy, and that."""
    accuracies = _accuracies(train, train_labels, test, test_labels, strengths)
    best = int(np.argmax(accuracies))
    return strengths[best], accuracies[best]


def _accuracies(train, train_labels, test, test_labels, strengths):
    """Accuracy with each strength, from the strongest regularization on."""
    # Here, because it takes seconds that the other commands need not wait.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    # Several threads wait for each other at every product of few rows, fifty times too long where
    # the machine has other work.
    products = train.size * len(np.unique(train_labels))
    threads = threadpool_limits(1 if products < SMALL else None)
    model = LogisticRegression(max_iter=300, warm_start=True)
    accuracies = []
    with threads, warnings.catch_warnings():
        # Almost without regularization it creeps; what it has then is compared like the others.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for strength in strengths:
            model.set_params(C=strength).fit(train, train_labels)
            accuracies.append(float(model.score(test, test_labels)))
    return accuracies


def _scaled(name, features):
    """Rows of length sqrt(D) in float32."""
    features = check_numbers(name, features)
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(
            f"Expected `{name}` of shape (images, size), with at least one image. "
            f"Received: {name}.shape={features.shape}"
        )
    if not np.isfinite(features).all():
        raise ValueError(
            f"Expected finite `{name}`. Received: NaN or infinity in {name}; has the training "
            "diverged?"
        )
    largest = np.abs(features).max(axis=1, keepdims=True).astype(np.float64)
    features = (features / np.where(largest > 0, largest, 1)).astype(np.float32)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return features * (features.shape[1] ** 0.5 / np.maximum(norms, 1e-12))


def _checked_labels(name, labels, number=None):
    labels = check_labels(name, labels, number)
    if not len(labels):
        raise ValueError(f"Expected `{name}` of at least one image. Received: {name} of none")
    return labels
