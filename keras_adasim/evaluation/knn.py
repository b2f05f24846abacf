"""Weighted nearest-neighbor classification of frozen features."""

import itertools

import numpy as np
import tensorflow as tf

from keras_adasim.evaluation.neighbor_search import CHUNK, full_precision
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.validation import (
    check_each,
    check_integer,
    check_labels,
    check_number,
    check_numbers,
    check_one_size,
)


def knn_accuracy(train_features, train_labels, test_features, test_labels, k, temperature=0.07):
    """Classifies test images by a vote of their nearest training images.

    Each of the k training images with the largest cosine similarity votes for its label with
    exp(similarity / temperature). Equal votes go to the smaller label. A label without any vote
    is no answer, so that the top 5 may hold fewer than five labels.

    Args:
        train_features: Floats (N, D); normalized inside, like the others.
        train_labels: Labels (N,), any integers or strings.
        test_features: Floats (M, D).
        test_labels: Labels (M,); one that no training image has is never met.
        k: Number of neighbors that vote, at most N.
        temperature: Temperature of the votes; smaller values listen to the nearest ones.

    Returns:
        Tuple (top1, top5), shares in [0, 1] of the test images whose label has the most votes, or
        is among the five with the most.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Reference:
        - `eval_knn.py` of the official DINO code.

    Example:
        ```python
        features, labels = np.random.default_rng(0).normal(size=(20, 8)), np.arange(20) % 2
        ka.evaluation.knn_accuracy(features[:15], labels[:15], features[15:], labels[15:], k=5)
        ```
    """
    sets = train_features, train_labels, test_features, test_labels
    (accuracies,) = knn_accuracies(*sets, _one("k", k), _one("temperature", temperature)).values()
    return accuracies


def knn_accuracies(
    train_features, train_labels, test_features, test_labels, ks, temperatures=(0.07,)
):
    """Votes as `knn_accuracy` does, with several numbers of neighbors and several temperatures.

    The neighbors are searched once.

    Args:
        train_features: Floats (N, D); normalized inside, like the others.
        train_labels: Labels (N,), any integers or strings.
        test_features: Floats (M, D).
        test_labels: Labels (M,).
        ks: Numbers of neighbors that vote, each at most N.
        temperatures: Temperatures of the votes.

    Returns:
        Dict of `(k, temperature)` to `(top1, top5)`.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Example:
        ```python
        features, labels = np.random.default_rng(0).normal(size=(20, 8)), np.arange(20) % 2
        sets = features[:15], labels[:15], features[15:], labels[15:]
        ka.evaluation.knn_accuracies(*sets, ks=(1, 5), temperatures=(0.07, 0.2))
        ```
    """
    train = _normalized("train_features", train_features)
    test = _normalized("test_features", test_features)
    train_labels = check_labels("train_labels", train_labels, len(train))
    test_labels = check_labels("test_labels", test_labels, len(test))
    check_one_size(train, test)
    ks, temperatures = _check_votes(ks, temperatures, len(train))
    classes, train_classes = np.unique(train_labels, return_inverse=True)
    test_classes = _class_numbers(classes, test_labels)
    chunks = _nearest(train, test, max(ks))
    return _accuracies(chunks, train_classes, test_classes, len(classes), ks, temperatures)


def leave_one_out_accuracy(features, labels, k, temperature=0.07):
    """Classifies each image by a vote of all others, by the rules of `knn_accuracy`.

    An image never votes for itself; another one that equals it does.

    Args:
        features: Floats (N, D); normalized inside.
        labels: Labels (N,), any integers or strings; one that no other image has is never met.
        k: Number of neighbors that vote, at most N - 1.
        temperature: Temperature of the votes; smaller values listen to the nearest ones.

    Returns:
        Tuple (top1, top5), shares in [0, 1] of the images, as of `knn_accuracy`.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Example:
        ```python
        features, labels = np.random.default_rng(0).normal(size=(20, 8)), np.arange(20) % 2
        ka.evaluation.leave_one_out_accuracy(features, labels, k=5)
        ```
    """
    votes = _one("k", k), _one("temperature", temperature)
    (accuracies,) = leave_one_out_accuracies(features, labels, *votes).values()
    return accuracies


def leave_one_out_accuracies(features, labels, ks, temperatures=(0.07,)):
    """Votes as `leave_one_out_accuracy` does, with several `k` and temperatures at once.

    Args:
        features: Floats (N, D); normalized inside.
        labels: Labels (N,), any integers or strings.
        ks: Numbers of neighbors that vote, each at most N - 1.
        temperatures: Temperatures of the votes.

    Returns:
        Dict of `(k, temperature)` to `(top1, top5)`.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Example:
        ```python
        features, labels = np.random.default_rng(0).normal(size=(20, 8)), np.arange(20) % 2
        ka.evaluation.leave_one_out_accuracies(features, labels, ks=(1, 5))
        ```
    """
    features = _normalized("features", features)
    labels = check_labels("labels", labels, len(features))
    if len(features) < 2:
        raise ValueError(
            "Expected `features` of at least two images, of which one votes for the other. "
            f"Received: features.shape={features.shape}"
        )
    ks, temperatures = _check_votes(ks, temperatures, len(features) - 1)
    names, classes = np.unique(labels, return_inverse=True)
    chunks = _nearest(features, features, max(ks), leave_out_self=True)
    return _accuracies(chunks, classes, classes, len(names), ks, temperatures)


def _normalized(name, features):
    """Features as float32 rows of length 1."""
    features = check_numbers(name, features).astype(np.float32)
    if features.ndim != 2 or not len(features):
        raise ValueError(
            f"Expected `{name}` of shape (images, size), with at least one image. "
            f"Received: {name}.shape={features.shape}"
        )
    if not np.isfinite(features).all():
        raise ValueError(
            f"Expected finite `{name}`. Received NaN or infinity: has the training diverged?"
        )
    # Squares of large numbers overflow, those of small ones vanish.
    largest = np.abs(features).max(axis=1, keepdims=True)
    return l2_normalize(features / np.where(largest > 0, largest, 1)).numpy()


def _one(name, value):
    """One number as a list, once it is known to be one."""
    return [check_integer(name, value) if name == "k" else check_number(name, value, above=0)]


def _check_votes(ks, temperatures, num_voters):
    """Returns the numbers of voters as integers, if so many can vote, and the temperatures."""
    ks = check_each("ks", ks, check_integer)
    if max(ks) > num_voters:
        raise ValueError(
            f"Expected `k` to be at most {num_voters}, the number of images that can vote. "
            f"Received: k={max(ks)}. Lower `k`, or give more training images."
        )
    return ks, check_each("temperatures", temperatures, check_number, above=0)


def _class_numbers(classes, labels):
    """Places of `labels` in the sorted `classes`, -1 for those that aren't there."""
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[places] == labels, places, -1)


def _accuracies(chunks, train_classes, test_classes, num_classes, ks, temperatures):
    """Top-1 and top-5 accuracy from `_nearest`, by number of voters and temperature."""
    votes = list(itertools.product(ks, temperatures))
    ranks = {vote: [] for vote in votes}
    for rows, ids, cosines in chunks:
        classes, targets = train_classes[ids], test_classes[rows]
        for k, temperature in votes:
            counted = _votes(cosines[:, :k], classes[:, :k], num_classes, temperature)
            ranks[k, temperature].append(_ranks(counted, targets))
    shares = {vote: np.concatenate(parts) for vote, parts in ranks.items()}
    return {vote: (float(np.mean(r < 1)), float(np.mean(r < 5))) for vote, r in shares.items()}


def _nearest(train, test, k, leave_out_self=False):
    """Yields slices of the test images with their neighbors and cosines, (m, k) each."""
    size = max(1, CHUNK // len(train))
    voters = tf.constant(train)
    for start in range(0, len(test), size):
        rows = slice(start, start + size)
        with full_precision():
            cosines = tf.matmul(test[rows], voters, transpose_b=True)
        if leave_out_self:
            nothing = tf.fill(cosines.shape[:1], -np.float32(np.inf))
            cosines = tf.linalg.set_diag(cosines, nothing, k=start)
        cosines, ids = tf.math.top_k(cosines, k)
        yield rows, ids.numpy(), cosines.numpy()


def _votes(cosines, classes, num_classes, temperature):
    """Sums of the votes (m, classes) of neighbors (m, k); -1 where there is no vote."""
    # One factor for the whole row changes no order, and keeps small temperatures finite.
    weights = np.exp((cosines.astype(np.float64) - cosines[:, :1]) / temperature)
    cells = np.arange(len(classes))[:, None] * num_classes + classes
    size = len(classes) * num_classes
    votes = np.bincount(cells.ravel(), weights.ravel(), minlength=size)
    votes[np.bincount(cells.ravel(), minlength=size) == 0] = -1.0
    return votes.reshape(len(classes), num_classes)


def _ranks(votes, targets):
    """How many classes come before the target; more than all of them for one without a vote."""
    own = np.take_along_axis(votes, np.maximum(targets, 0)[:, None], axis=1)
    smaller = np.arange(votes.shape[1]) < targets[:, None]
    ranks = np.sum((votes > own) | ((votes == own) & smaller), axis=1)
    return np.where((targets < 0) | (own[:, 0] < 0), np.iinfo(np.int64).max, ranks)
