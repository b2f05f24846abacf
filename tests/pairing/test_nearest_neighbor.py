import numpy as np
import pytest

from keras_adasim.pairing import NearestNeighbor

IDS = np.array([[0, 2, 1], [2, 1, 0], [0, 1, 3], [3, 3, 3]])
SIMILARITIES = np.array([[1.0, 0.8, 0.1], [0.9, 0.8, 0.7], [0.0, 0.0, 0.0], [0.5, 0.4, 0.3]])


def test_every_image_is_its_own_partner_in_the_first_epoch():
    pairing = NearestNeighbor(4, topk=3)
    np.testing.assert_array_equal(pairing.partners(np.arange(4)), np.arange(4))
    assert pairing.statistics() == {"partner_is_self": 1.0}


def test_the_top_neighbor_that_is_not_the_image():
    pairing = NearestNeighbor(4, topk=3)
    pairing.push(IDS, SIMILARITIES)
    # 2 has seen rows that were never written alone, 3 nobody but itself.
    assert pairing.partners([0, 1, 2, 3, 1]).tolist() == [2, 2, 2, 3, 2]
    assert pairing.statistics() == {"partner_is_self": 0.5}


def test_the_latest_record_counts():
    pairing = NearestNeighbor(4, topk=3)
    pairing.push(IDS, SIMILARITIES)
    pairing.push((IDS + 1) % 4, SIMILARITIES)
    assert pairing.partners(np.arange(4)).tolist() == [1, 3, 2, 0]


def test_equals_a_loop():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 6, (200, 4))
    similarities = -np.sort(-rng.uniform(-0.5, 1, ids.shape).round(1), axis=1)
    pairing = NearestNeighbor(200, topk=4)
    pairing.push(ids, similarities)
    for row, partner in enumerate(pairing.partners(np.arange(200))):
        neighbors = zip(ids[row], similarities[row], strict=True)
        assert partner == next((j for j, s in neighbors if j != row and s != 0), row)


def test_wrong_records_are_refused():
    pairing = NearestNeighbor(4, topk=3)
    with pytest.raises(ValueError, match=r"`ids` of shape \(4, 3\)"):
        pairing.push(IDS[:, :2], SIMILARITIES)
    with pytest.raises(ValueError, match="`topk`"):
        NearestNeighbor(4, topk=-1)
