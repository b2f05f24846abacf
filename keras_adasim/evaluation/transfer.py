"""One table of what frozen features are worth on several data sets."""

import collections.abc
import dataclasses

from keras_adasim.evaluation.few_labels import logistic_regression
from keras_adasim.evaluation.knn import knn_accuracy
from keras_adasim.evaluation.standard_error import standard_error
from keras_adasim.validation import check_integer, check_number


@dataclasses.dataclass(frozen=True)
class Row:
    """What features are worth on one data set.

    Attributes:
        name: Name of the data set.
        train: Number of training images.
        test: Number of test images.
        knn: Top-1 of the k-NN vote, in [0, 1].
        knn_standard_error: Its standard error.
        logistic: Top-1 of the logistic regression.
        logistic_standard_error: Its standard error.
        strength: Inverse strength of the regularization that was chosen.
    """

    name: str
    train: int
    test: int
    knn: float
    knn_standard_error: float
    logistic: float
    logistic_standard_error: float
    strength: float


def transfer_table(sets, k=20, temperature=0.07, seed=0):
    """Judges features on several data sets, by k-NN and by logistic regression.

    Args:
        sets: Iterable of tuples of a name, the training images' features (N, D) and labels (N,),
            and those of the test images, (M, D) and (M,). A generator needs memory for one set
            at a time.
        k: Number of neighbors that vote, at most N of every set.
        temperature: Temperature of the votes.
        seed: Non-negative integer; the part of the training images that chooses the
            regularization follows from it.

    Returns:
        List of `Row`, one for each set.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range; names the
            set.

    Example:
        ```python
        rng, labels = np.random.default_rng(0), np.arange(60) % 3
        features = rng.normal(size=(60, 8)) + np.eye(8)[labels]
        sets = [("blobs", features[:40], labels[:40], features[40:], labels[40:])]
        ka.evaluation.transfer_table(sets, k=5)[0].knn
        ```
    """
    check_integer("k", k)
    check_number("temperature", temperature, above=0)
    check_integer("seed", seed, minimum=0)
    rows = [_row(each, k, temperature, seed) for each in sets] if _is_iterable(sets) else []
    if not rows:
        raise ValueError(
            "Expected `sets` of at least one (name, features, labels, features, labels). "
            f"Received: sets={sets!r}"
        )
    return rows


def _is_iterable(value):
    return isinstance(value, collections.abc.Iterable)


def _row(each, k, temperature, seed):
    if not isinstance(each, tuple | list) or len(each) != 5:
        raise ValueError(
            "Expected `sets` of tuples (name, train features, train labels, test features, test "
            f"labels). Received: sets with {each!r:.80}"
        )
    name, *parts = each
    try:
        knn, _ = knn_accuracy(*parts, k, temperature)
        regression = logistic_regression(*parts, seed=seed)
    except ValueError as error:
        error.add_note(f"That is of the set {name!r} of `sets`.")
        raise
    train, test = len(parts[1]), len(parts[3])
    error = standard_error(knn, test)
    logistic = regression.top1, regression.standard_error, regression.strength
    return Row(str(name), train, test, knn, error, *logistic)
