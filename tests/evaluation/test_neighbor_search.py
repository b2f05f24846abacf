import numpy as np
import pytest

from keras_adasim.evaluation import neighbor_search
from keras_adasim.evaluation.neighbor_search import find_neighbors


@pytest.mark.parametrize(("rows", "chunk"), [(2**15, 2**24), (7, 21)])
def test_equals_sorting(monkeypatch, rows, chunk):
    monkeypatch.setattr(neighbor_search, "ROWS", rows)
    monkeypatch.setattr(neighbor_search, "CHUNK", chunk)
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    features[11] = features[3]  # Then 3 comes before 11, but for itself.
    cosines = features @ features.T
    order = np.argsort(-cosines.round(6), axis=1, kind="stable")
    ids, found = find_neighbors(features[:9], features, 5)
    np.testing.assert_array_equal(ids, order[:9, :5])
    np.testing.assert_allclose(found, np.take_along_axis(cosines[:9], ids, 1), atol=1e-6)
    ids, _ = find_neighbors(features, features, 5, leave_out_self=True)
    without = [[j for j in row if j != i][:5] for i, row in enumerate(order)]
    np.testing.assert_array_equal(ids, without)


def test_more_doubles_than_neighbors():
    ids, cosines = find_neighbors(*2 * [np.ones((6, 1), np.float32)], 2, leave_out_self=True)
    assert not (ids == np.arange(6)[:, None]).any()
    np.testing.assert_array_equal(cosines, np.ones((6, 2)))
