"""Means with 95 % intervals, and paired differences."""

import math

import numpy as np
from scipy import stats


def mean_interval(values, level=0.95):
    """Mean of some values and half the width of its interval, by Student's t.

    Args:
        values: Numbers, one for each seed.
        level: Share of such intervals that hold the mean.

    Returns:
        Tuple of two floats; the second is NaN for fewer than two values, both for none.
    """
    values = np.asarray(values, float)
    if not len(values):
        return math.nan, math.nan
    if len(values) < 2:
        return float(values[0]), math.nan
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    quantile = stats.t.ppf((1 + level) / 2, len(values) - 1)
    return float(np.mean(values)), float(quantile * error)


def differences(values, others):
    """Differences of what two arms have for one seed each.

    Args:
        values: Dict of seeds to numbers.
        others: The same, of the arm that is compared with.

    Returns:
        Dict of the seeds that both have to differences.
    """
    return {seed: values[seed] - others[seed] for seed in sorted(set(values) & set(others))}


def verdict(values):
    """What differences allow to say of their sign: "below", "above", "equal" or "unclear"."""
    mean, half = mean_interval(values)
    if len(values) > 1 and not any(values):
        return "equal"
    if not half >= 0 or abs(mean) <= half:
        return "unclear"
    return "above" if mean > 0 else "below"
