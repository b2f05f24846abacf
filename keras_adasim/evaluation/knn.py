"""Weighted nearest-neighbour classification of frozen features."""

import contextlib

import numpy as np
import tensorflow as tf

# Similarities held at a time; 64 MiB of float32.
CHUNK = 2**24


def knn_accuracy(train_features, train_labels, test_features, test_labels, k, temperature=0.07):
    """Classifies test images by a vote of their nearest training images.

    Each of the k training images with the largest cosine similarity votes for its label with
    exp(similarity / temperature). Equal votes go to the smaller label. A label without any vote
    is no answer, so that the top 5 may hold fewer than five labels.

    Args:
        train_features: floats `(N, D)`; normalised inside, like the others.
        train_labels: labels `(N,)`, any integers or strings.
        test_features: floats `(M, D)`.
        test_labels: labels `(M,)`; one that no training image has is never met.
        k: number of neighbours that vote, at most N.
        temperature: of the votes; smaller values listen to the nearest ones.

    Returns:
        `(top1, top5)`, shares in [0, 1] of the test images whose label has the most votes, or is
        among the five with the most.

    Raises:
        ValueError: an argument has another shape, isn't finite or is out of range.

    Source: `eval_knn.py` of the official DINO code.
    """
    train_features = _normalized("train_features", train_features)
    test_features = _normalized("test_features", test_features)
    _check_labels("train_labels", train_labels, train_features)
    _check_labels("test_labels", test_labels, test_features)
    if train_features.shape[1] != test_features.shape[1]:
        raise ValueError(
            "Expected `train_features` and `test_features` of one size. Received: "
            f"shapes {train_features.shape} and {test_features.shape}"
        )
    if int(k) != k or not 1 <= k <= len(train_features):
        raise ValueError(
            f"Expected `k` to be an integer from 1 to {len(train_features)}, the number of "
            f"training images. Received: k={k!r}. Lower `k`, or give more training images."
        )
    if not temperature > 0:
        raise ValueError(f"Expected `temperature` above 0. Received: temperature={temperature!r}")
    classes, train_classes = np.unique(np.asarray(train_labels), return_inverse=True)
    test_classes = _class_numbers(classes, np.asarray(test_labels))
    ranks = np.concatenate(
        [
            _ranks(_votes(cosines, train_classes[ids], len(classes), temperature), targets)
            for ids, cosines, targets in _nearest(train_features, test_features, test_classes, k)
        ]
    )
    return float(np.mean(ranks < 1)), float(np.mean(ranks < 5))


def _normalized(name, features):
    """Features as float32 rows of length 1."""
    features = np.asarray(features, np.float32)
    if features.ndim != 2 or not len(features):
        raise ValueError(
            f"Expected `{name}` of shape (images, size), with at least one image. "
            f"Received: {name}.shape={features.shape}"
        )
    if not np.isfinite(features).all():
        raise ValueError(
            f"Expected finite `{name}`. Received NaN or infinity: has the training diverged?"
        )
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(norms, 1e-12)


def _check_labels(name, labels, features):
    if np.shape(labels) != (len(features),):
        raise ValueError(
            f"Expected `{name}` of shape ({len(features)},), one for each row of its features. "
            f"Received: {name}.shape={np.shape(labels)}"
        )


def _class_numbers(classes, labels):
    """Places of `labels` in the sorted `classes`, -1 for those that aren't there."""
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[places] == labels, places, -1)


def _nearest(train_features, test_features, test_classes, k):
    """Yields, for one chunk of test images after the other, neighbours, cosines and targets."""
    size = max(1, CHUNK // len(train_features))
    train = tf.constant(train_features)
    for start in range(0, len(test_features), size):
        chunk = slice(start, start + size)
        with _full_precision():
            cosines = tf.matmul(test_features[chunk], train, transpose_b=True)
        cosines, ids = tf.math.top_k(cosines, int(k))
        yield ids.numpy(), cosines.numpy(), test_classes[chunk]


@contextlib.contextmanager
def _full_precision():
    """Leaves TensorFloat-32, whose ten bits swap near neighbours, out of the products."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(enabled)


def _votes(cosines, classes, num_classes, temperature):
    """Sums of the votes `(M, classes)` for neighbours `(M, k)`; -1 where there is no vote."""
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
