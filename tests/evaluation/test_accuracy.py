"""Top-k accuracy against a sort, and where it is a matter of taste."""

import numpy as np
import pytest

from keras_adasim.evaluation.accuracy import top_accuracies


def test_equals_a_sort():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(200, 9)), rng.integers(0, 9, 200)
    for k, found in zip((1, 3, 9), top_accuracies(logits, labels, (1, 3, 9)), strict=True):
        first = np.argsort(-logits, axis=1)[:, :k]
        assert found == np.mean([label in row for label, row in zip(labels, first, strict=True)])


def test_ties_and_nan_and_unknown_labels():
    assert top_accuracies(np.zeros((2, 3)), [0, 1]) == [0.5, 1.0]
    assert top_accuracies([[np.nan] * 7] * 2, [0, 6]) == [0.0, 0.0]
    assert top_accuracies([[1.0, np.nan]], [0]) == [0.0, 1.0]
    assert top_accuracies([[1.0, 0.0]] * 2, [2, -1]) == [0.0, 0.0]


@pytest.mark.parametrize("logits", [np.zeros(3), np.zeros((0, 2)), [["a", "b"]]])
def test_refused(logits):
    with pytest.raises(ValueError, match="logits"):
        top_accuracies(logits, [0])
