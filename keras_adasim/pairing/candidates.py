"""Rows of candidates: how many count, and the image itself in front."""

import numpy as np


def effective_number(probabilities):
    """Exponential of the entropy of each row: k where k are alike, 1 where one takes all."""
    logarithms = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return np.exp(-np.sum(probabilities * logarithms, axis=1))


def softmax(similarities, found, temperature):
    """Probabilities of candidates, (n, k) each: those that are not there get 0.

    Args:
        similarities: Floats, falling along a row.
        found: Whether there is a candidate at that place.
        temperature: Float; 0 gives all to the first.
    """
    if temperature == 0:
        return np.repeat([np.arange(found.shape[1]) == 0], len(found), axis=0).astype(float)
    # The first place holds the largest; -inf leaves nothing to places without a candidate.
    logits = (similarities - similarities[:, :1]) / temperature
    weights = np.exp(np.where(found, logits, -np.inf))
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)


def own_id_first(ids, indices):
    """Moves `indices` to the front of each row of `ids`, where they were and where they were not.

    Rows that lack the own id lose their last entry for it.
    """
    is_own = ids == indices[:, None]
    is_own[:, -1] |= ~is_own.any(axis=1)
    # A stable sort of "is not the own id, or a later copy of it" keeps the order of the others.
    order = np.argsort(is_own.cumsum(axis=1) * is_own != 1, axis=1, kind="stable")
    ids = np.take_along_axis(ids, order, axis=1)
    ids[:, 0] = indices
    return ids
