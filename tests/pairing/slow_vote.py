"""The vote as its definition reads: a dictionary for every image."""

import math


def slow_distribution(ids, similarities, index, topk, window, temperature):
    """Returns (ids, probabilities, gate) of one image from its (w, k) records."""
    sums = {}
    for epoch_ids, epoch_similarities in zip(ids.tolist(), similarities.tolist(), strict=True):
        for neighbor, similarity in zip(epoch_ids, epoch_similarities, strict=True):
            sums[neighbor] = sums.get(neighbor, 0.0) + similarity
    ranked = sorted(sums, key=lambda neighbor: (-sums[neighbor], neighbor))[:topk]
    gate = len(ids) == window and ranked[0] == index
    if not gate:
        others = [neighbor for neighbor in ranked if neighbor != index]
        ranked = ([index] + others)[:topk]
        probabilities = [1.0] + [0.0] * (topk - 1)
    elif temperature == 0:
        probabilities = [1.0] + [0.0] * (topk - 1)
    else:
        logits = [(sums[j] - sums[ranked[0]]) / window / temperature for j in ranked]
        weights = [math.exp(logit) for logit in logits]
        probabilities = [weight / sum(weights) for weight in weights]
    missing = topk - len(ranked)
    probabilities = (probabilities + [0.0] * missing)[:topk]
    return ranked + [index] * missing, probabilities, gate
