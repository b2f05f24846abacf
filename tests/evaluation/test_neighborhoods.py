import numpy as np
import pytest

from keras_adasim.evaluation.neighborhoods import neighbor_churn, neighbor_purity


def _records(seed, count=40, k=5, written=0.8):
    rng = np.random.default_rng(seed)
    ids = np.array([rng.permutation(count)[:k] for _ in range(count)])
    ids[:, 0] = np.where(rng.uniform(size=count) < 0.7, np.arange(count), ids[:, 0])
    return ids, rng.uniform(-1, 1, (count, k)) * (rng.uniform(size=(count, k)) < written)


def _neighbors(ids, similarities, image):
    pairs = zip(ids, similarities, strict=True)
    return [j for j, similarity in pairs if j != image and similarity != 0]


def _slow_churn(now, before, images):
    counted = []
    for row, image in enumerate(images):
        old = _neighbors(before[0][row], before[1][row], image)
        if old:
            counted += [j not in old for j in _neighbors(now[0][row], now[1][row], image)]
    return np.mean(counted)


@pytest.mark.parametrize("written", [0.1, 0.8, 1.0])
def test_churn_equals_a_loop(written):
    now, before = _records(0, written=0.9), _records(1, written=written)
    assert 0 < neighbor_churn(*now, *before) < 1
    assert neighbor_churn(*now, *before) == pytest.approx(_slow_churn(now, before, range(40)))
    images = np.array([3, 9, 31])
    some = [table[images] for table in (*now, *before)]
    expected = _slow_churn(some[:2], some[2:], images)
    assert neighbor_churn(*some, images) == pytest.approx(expected)


def test_churn_by_hand():
    ids, before = [[0, 1, 2], [1, 3, 0]], [[0, 2, 3], [0, 1, 2]]
    ones = np.ones((2, 3))
    # Image 0 has 2 still and 1 newly; image 1 has 0 still and 3 newly.
    assert neighbor_churn(np.array(ids), ones, np.array(before), ones) == 0.5
    assert neighbor_churn(np.array(ids), ones, np.array(ids)[:, ::-1], ones) == 0.0
    assert np.isnan(neighbor_churn(np.array(ids), ones, np.array(before), 0 * ones))


def test_purity_equals_a_loop():
    ids, similarities = _records(0)
    labels = np.random.default_rng(1).integers(0, 3, 40)
    counted = [
        labels[i] == labels[j] for i in range(40) for j in _neighbors(ids[i], similarities[i], i)
    ]
    assert neighbor_purity(ids, similarities, labels) == pytest.approx(np.mean(counted))
    assert np.isnan(neighbor_purity(ids, 0 * similarities, labels))


def test_wrong_shapes():
    ids, similarities = _records(0)
    with pytest.raises(ValueError, match=r"`labels` to be .* 40 of them\. .*\(3,\)"):
        neighbor_purity(ids, similarities, [0, 1, 2])
    with pytest.raises(ValueError, match=r"`similarities` of shape \(40, 5\).*\(40, 4\)"):
        neighbor_purity(ids, similarities[:, 1:], np.zeros(40))
    with pytest.raises(ValueError, match=r"`earlier_ids` of shape \(40, 5\).*\(40, 4\)"):
        neighbor_churn(ids, similarities, ids[:, 1:], similarities[:, 1:])
    with pytest.raises(ValueError, match=r"`images` of shape \(40,\).*\(2,\)"):
        neighbor_churn(ids, similarities, ids, similarities, images=[1, 2])
