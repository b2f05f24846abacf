"""How far a share that was counted on a sample may be off."""

import math

from keras_adasim.validation import check_integer, check_number


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
