import numpy as np
import pytest

from keras_adasim.callbacks import PairingStatistics
from tests.callbacks.models import Watched, fit

LABELS = [0, 0, 0, 1, 1, 0]
IDS = [[0, 1, 3], [1, 0, 2], [5, 4, 3], [3, 4, 0], [4, 3, 0], [1, 2, 3]]
SIMILARITIES = [[1, 0.9, 0.8], [1, -0.1, 0], [0.5, 0.4, 0.3], [1, 0.2, 0], [0, 0, 0], [0.1, 0, 0]]


def _fit(model, labels):
    model.compile("sgd", "mse")
    return fit(model, 2, [PairingStatistics(labels)]).history


def _recorded():
    model = Watched()
    model.bank.ids.assign(IDS)
    model.bank.similarities.assign(SIMILARITIES)
    return model


def _purity_one_by_one():
    counted = [
        LABELS[i] == LABELS[j]
        for i in range(6)
        for j, similarity in zip(IDS[i], SIMILARITIES[i], strict=True)
        if j != i and similarity != 0
    ]
    return sum(counted) / len(counted)


def test_statistics_of_the_pairing():
    history = _fit(_recorded(), None)
    assert history["gate_open"] == [0.75, 0.75]
    assert history["partner_is_self"] == [0.25, 0.25]
    assert "neighbor_purity" not in history


def test_purities():
    history = _fit(_recorded(), LABELS)
    assert history["neighbor_purity"] == pytest.approx([_purity_one_by_one()] * 2)
    # The partner of each image is the next one: 4 of 6 share its label.
    assert history["partner_purity"] == pytest.approx([4 / 6] * 2)


def test_bank_without_records_has_no_purity():
    assert np.isnan(_fit(Watched(), LABELS)["neighbor_purity"]).all()


def test_without_a_bank():
    history = _fit(Watched(with_bank=False), LABELS)
    assert "neighbor_purity" not in history
    assert "partner_purity" in history


def test_two_replicas(two_replicas):
    with two_replicas.scope():
        model = _recorded()
        model.compile("sgd", "mse")
    history = fit(model, 1, [PairingStatistics(LABELS)]).history
    assert history["neighbor_purity"] == pytest.approx([_purity_one_by_one()])


def test_labels_of_another_data_set():
    with pytest.raises(ValueError, match=r"`labels` of shape \(6,\).*labels\.shape=\(5,\)"):
        _fit(_recorded(), LABELS[:5])
