import numpy as np
import pytest

from keras_adasim.evaluation import knn_accuracy, transfer_table
from keras_adasim.evaluation.few_labels import logistic_regression


def _set(seed, noise):
    rng, labels = np.random.default_rng(seed), np.arange(90) % 3
    features = rng.normal(0, noise, (90, 5)) + np.eye(5)[labels]
    return features[:60], labels[:60], features[60:], labels[60:]


def test_every_row_is_what_the_functions_give_alone():
    sets = {"easy": _set(0, 0.5), "hard": _set(1, 2.0)}
    rows = transfer_table(((name, *parts) for name, parts in sets.items()), k=7, temperature=0.2)
    assert [row.name for row in rows] == ["easy", "hard"]
    for row in rows:
        parts = sets[row.name]
        assert (row.train, row.test) == (60, 30)
        assert row.knn == knn_accuracy(*parts, k=7, temperature=0.2)[0]
        regression = logistic_regression(*parts)
        assert (row.logistic, row.strength) == (regression.top1, regression.strength)
        assert row.knn_standard_error == pytest.approx((row.knn * (1 - row.knn) / 30) ** 0.5)
    assert rows[0].logistic > rows[1].logistic


def test_wrong_arguments_name_the_set():
    with pytest.raises(ValueError, match="k=99") as error:
        transfer_table([("small", *_set(0, 1))], k=99)
    assert error.value.__notes__ == ["That is of the set 'small' of `sets`."]
    for sets in (3, [], [3], [("a", 1)]):
        with pytest.raises(ValueError, match="`sets`"):
            transfer_table(sets)
    with pytest.raises(ValueError, match="temperature=0"):
        transfer_table([], temperature=0)
