"""How often logits are right."""

import numpy as np

from keras_adasim.validation import check_each, check_integer, check_labels, check_numbers


def top_accuracies(logits, labels, ks=(1, 5)):
    """Counts how often the label is among the k classes with the largest logits.

    Of equal logits the smaller class comes first; NaN comes before everything, so that a network
    that has diverged is never right.

    Args:
        logits: Floats (N, K).
        labels: Integers (N,); one that is no class is never met.
        ks: Numbers of classes.

    Returns:
        List of floats in [0, 1], one for every k.

    Raises:
        ValueError: If there is no image, or the shapes are others.

    Example:
        ```python
        logits = [[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]
        ka.evaluation.accuracy.top_accuracies(logits, [2, 0], ks=(1, 2))  # [0.5, 1.0]
        ```
    """
    logits = check_numbers("logits", logits)
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(
            "Expected `logits` of shape (images, classes), with at least one image. Received: "
            f"logits.shape={logits.shape}"
        )
    labels = check_labels("labels", labels, len(logits))
    ks = check_each("ks", ks, check_integer)
    known = np.isin(labels, np.arange(logits.shape[1]))
    target = np.where(known, labels, 0).astype(np.int64)[:, None]
    own = np.take_along_axis(logits, target, axis=1)
    classes = np.arange(logits.shape[1])
    before = ~(logits <= own) | ((logits == own) & (classes < target))
    before &= (classes != target) | np.isnan(own)
    ranks = before.sum(axis=1)
    return [float(np.mean(known & (ranks < k))) for k in ks]
