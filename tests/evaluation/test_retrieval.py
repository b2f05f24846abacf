import numpy as np
import pytest

from keras_adasim.evaluation.retrieval import average_precision


def _ids(table):
    return [row[row >= 0] for row in table]


@pytest.mark.parametrize("suffix", ["", "_without_junk_lists"])
def test_golden(golden, suffix):
    arrays, scalars = golden("retrieval")
    junk = None if suffix else _ids(arrays["junk_ids"])
    positives = _ids(arrays["positive_ids"])
    mean, per_query, precisions = average_precision(
        arrays["ranks"], positives, junk, arrays["kappas"]
    )
    assert mean == pytest.approx(scalars[f"mean_average_precision{suffix}"], abs=1e-6)
    expected = arrays[f"average_precision{suffix}"]
    np.testing.assert_allclose(per_query, expected, atol=1e-6)
    expected = arrays[f"precision_at_kappa{suffix}"]
    np.testing.assert_allclose(precisions, expected, atol=1e-6)
    expected = arrays[f"mean_precision_at_kappa{suffix}"]
    np.testing.assert_allclose(np.nanmean(precisions, axis=0), expected, atol=1e-6)


def test_by_hand():
    # Without 9 the positives stand at places 0 and 2: (1 + 1) / 2 and (1/2 + 2/3) / 2, of 3.
    ranks = np.array([[5, 9, 7, 6, 8]]).T
    mean, per_query, precisions = average_precision(ranks, [[6, 5, 4]], [[9]], [1, 2, 100])
    assert mean == per_query[0] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 3)
    np.testing.assert_allclose(precisions, [[1, 1 / 2, 2 / 3]])


def test_nothing_wanted_and_nothing_found():
    ranks = np.array([[0, 0], [1, 1]])
    mean, per_query, precisions = average_precision(ranks, [[], [7]], None, [1])
    assert mean == 0.0
    np.testing.assert_equal(per_query, [np.nan, 0])
    np.testing.assert_equal(precisions, [[np.nan], [0]])
    assert np.isnan(average_precision(ranks, [[], []], None, [1])[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ranks": [1, 2]}, r"`ranks` of shape \(n, n\)"),
        ({"positives": [[1]]}, r"`positives` to be 2 arrays.*len\(positives\)=1"),
        ({"positives": [[1], [-1]]}, r"`positives` to be non-negative"),
        ({"junk": [[], [1]]}, r"in both `positives` and `junk`.*\[1\] in those of query 1"),
        ({"kappas": [0]}, r"positive `kappas`.*\[0\]"),
        ({"ranks": [[0, 1], [1, 1]]}, r"once in a column of `ranks`.*query 1"),
    ],
)
def test_wrong_arguments(arguments, message):
    right = {"ranks": [[0, 0], [1, 1]], "positives": [[1], [1]], "junk": None, "kappas": [1]}
    with pytest.raises(ValueError, match=message):
        average_precision(**{**right, **arguments})
