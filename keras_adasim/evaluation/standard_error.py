"""How far a share that was counted on a sample may be off."""

import math

import numpy as np

from keras_adasim.validation import check_integer, check_number, check_numbers


def standard_error(share, count):
    """Standard error of an accuracy, counted on so many images drawn independently.

    Args:
        share: Share of the images, in [0, 1].
        count: Number of images.

    Returns:
        Float, the square root of share * (1 - share) / count.

    Raises:
        ValueError: If `share` is none, or `count` isn't positive.

    Example:
        ```python
        ka.evaluation.standard_error(0.5, 2500)  # 0.01
        ```
    """
    share = check_number("share", share, minimum=0, maximum=1)
    return math.sqrt(share * (1 - share) / check_integer("count", count))


def error_of_mean(values):
    """Standard error of the mean of numbers drawn independently.

    Args:
        values: Numbers (n,), such as the average precisions of queries; NaN are left out.

    Returns:
        Float, their standard deviation (of n - 1) divided by the square root of n; NaN below two.

    Raises:
        ValueError: If `values` aren't numbers.

    Example:
        ```python
        ka.evaluation.error_of_mean([0.4, 0.6, 0.5, 0.5])
        ```
    """
    values = check_numbers("values", values).astype(float).ravel()
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
