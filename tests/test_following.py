"""Images that come, go and change their places: what was learned of them goes with them.

The oracles know images by name, and have neither places nor ids.
"""

import numpy as np
import pytest

from keras_adasim.layers import NeighborBank
from keras_adasim.pairing import (
    AdaptiveWindow,
    LabelOracle,
    NearestNeighbor,
    Pairing,
    SelfPairing,
)

BEFORE = [f"image {i}" for i in range(40)]
# Some are gone, some are new, image 7 is another one, and 64 need a bit more for an id.
FEWER = ["new a", *(f"image {i}" for i in range(39, 5, -1) if i not in (7, 11)), "image 7 new"]
MORE = [*BEFORE[20:], *(f"new {i}" for i in range(30)), *BEFORE[:20]]


def previous_of(names):
    return np.array([BEFORE.index(name) if name in BEFORE else -1 for name in names])


def random_records(num_images, topk, rng):
    """An epoch's records, in which the image itself is often on top."""
    own, rows = np.arange(num_images), (num_images, 1)
    top = np.where(rng.random(num_images) < 0.8, own, rng.integers(num_images, size=num_images))
    steps = np.argsort(rng.random((num_images, 8)))[:, : topk - 1]
    ids = np.concatenate([top.reshape(rows), (top.reshape(rows) + 1 + steps) % num_images], 1)
    similarities = -np.sort(-rng.uniform(0.1, 1, ids.shape).astype(np.float32))
    return ids, similarities


def by_name(names, ids, similarities):
    """Of every image its neighbors and their similarities."""
    return {
        name: {names[i]: s for i, s in zip(ids[row], similarities[row].tolist(), strict=True)}
        for row, name in enumerate(names)
    }


def slow_distribution(epochs, name, names, window, topk, temperature):
    """The method's steps 3 to 5 for one image, from the last epochs' neighbors of every image."""
    records = [epoch[name] for epoch in epochs[-window:] if name in epoch]
    sums = {}
    for record in records:
        for neighbor, similarity in record.items():
            if neighbor in names:
                sums[neighbor] = sums.get(neighbor, 0) + similarity
    ranked = sorted(sums, key=lambda other: (-sums[other], names.index(other)))[:topk]
    is_open = len(records) == window and ranked[:1] == [name]
    if not is_open:
        return {name: 1.0}, False
    weights = {other: np.exp((sums[other] - sums[name]) / window / temperature) for other in ranked}
    return {other: weight / sum(weights.values()) for other, weight in weights.items()}, True


def check(pairing, epochs, names):
    ids, probabilities, is_open = pairing.distribution(np.arange(len(names)))
    for row, name in enumerate(names):
        expected, gate = slow_distribution(epochs, name, names, 3, 4, 0.5)
        assert is_open[row] == gate, name
        found = {}
        for i, probability in zip(ids[row], probabilities[row], strict=True):
            found[names[i]] = found.get(names[i], 0) + probability
        found = {other: probability for other, probability in found.items() if probability}
        assert found.keys() == expected.keys()
        for other, probability in expected.items():
            assert found[other] == pytest.approx(probability, abs=1e-6)
    return is_open


@pytest.mark.parametrize("pushes", [1, 3, 5])
@pytest.mark.parametrize("names", [BEFORE[::-1], FEWER, MORE], ids=["order", "fewer", "more"])
def test_the_window_goes_with_its_images(names, pushes, monkeypatch):
    monkeypatch.setattr("keras_adasim.pairing.record_window.RecordWindow._chunk", 7)
    rng, epochs = np.random.default_rng(0), []
    old = AdaptiveWindow(len(BEFORE), window=3, topk=4, temperature=0.5)
    for _ in range(pushes):
        records = random_records(len(BEFORE), 4, rng)
        old.push(*records)
        epochs.append(by_name(BEFORE, *records))
    pairing = AdaptiveWindow(len(names), window=3, topk=4, temperature=0.5)
    pairing.set_state(pairing.follow(old.get_state(), previous_of(names)))
    assert pairing.pushes == pushes
    new = np.array([name not in BEFORE for name in names])
    for further in range(4):
        is_open = check(pairing, epochs, names)
        if pushes >= 3:
            # The gate of a new image stays closed until it has three records of its own.
            assert is_open[~new].any()
            assert is_open[new].any() == (new.any() and further == 3)
        records = random_records(len(names), 4, rng)
        pairing.push(*records)
        epochs.append(by_name(names, *records))


def test_an_image_not_visited_yet_has_no_record_of_its_own():
    """The bank's row of zeros counted as a record, and its gate opened an epoch too early."""
    old = AdaptiveWindow(3, window=2, topk=2)
    ids = np.array([[0, 1], [1, 2], [2, 0]])
    for _ in range(2):
        old.push(ids, np.full((3, 2), [0.9, 0.5]))
    pairing = AdaptiveWindow(4, window=2, topk=2)
    pairing.set_state(pairing.follow(old.get_state(), [0, 1, 2, -1]))
    ids = np.array([*ids, [0, 0]])
    similarities = np.array([[0.9, 0.5]] * 3 + [[0, 0]])
    pairing.push(ids, similarities)
    ids, similarities = pairing.records([3])
    assert (ids == -1).all()
    assert (similarities == 0).all()
    for is_open in (False, False, True):
        assert pairing.distribution([0, 3])[2].tolist() == [True, is_open]
        pairing.push(np.array([[0, 1], [1, 2], [2, 0], [3, 1]]), np.full((4, 2), [0.9, 0.5]))


def test_an_image_whose_neighbors_are_all_gone_is_paired_with_itself():
    """Without a candidate the first id, 0, was taken for the strongest."""
    old = AdaptiveWindow(3, window=1, topk=2)
    old.push(np.array([[1, 2]] * 3), np.full((3, 2), 0.9))
    pairing = AdaptiveWindow(2, window=1, topk=2)
    pairing.set_state(pairing.follow(old.get_state(), [0, -1]))
    ids, probabilities, is_open = pairing.distribution([0])
    assert (ids.tolist(), probabilities.tolist()) == ([[0, 0]], [[1, 0]])
    assert not is_open.any()


@pytest.mark.parametrize("names", [BEFORE[::-1], FEWER, MORE])
def test_nearest_neighbors_go_with_their_images(names):
    rng = np.random.default_rng(1)
    old = NearestNeighbor(len(BEFORE), topk=4)
    old.push(*random_records(len(BEFORE), 4, rng))
    partners = {
        name: BEFORE[i] for name, i in zip(BEFORE, old.partners(np.arange(40)), strict=True)
    }
    pairing = NearestNeighbor(len(names), topk=4)
    pairing.set_state(pairing.follow(old.get_state(), previous_of(names)))
    for name, i in zip(names, pairing.partners(np.arange(len(names))), strict=True):
        partner = partners.get(name, name)
        assert names[i] == (partner if partner in names else name)


@pytest.mark.parametrize("names", [BEFORE[::-1], FEWER, MORE])
def test_the_bank_goes_with_its_images(names):
    rng = np.random.default_rng(2)
    old = NeighborBank(len(BEFORE), 3, topk=4)
    features = rng.normal(size=(40, 3)).astype("float32")
    ids, similarities = random_records(len(BEFORE), 4, rng)
    records = by_name(BEFORE, ids, similarities)
    rows = dict(zip(BEFORE, features, strict=True))
    old.set_weights([features, ids, similarities])
    bank = NeighborBank(len(names), 3, topk=4)
    bank.set_weights(NeighborBank.follow(old.get_weights(), previous_of(names)))
    ids, similarities = bank.records()
    for row, name in enumerate(names):
        np.testing.assert_array_equal(bank.rows([row])[0], rows.get(name, np.zeros(3)))
        expected = {n: s for n, s in records.get(name, {}).items() if n in names}
        found = similarities[row] != 0
        assert {
            names[i]: s for i, s in zip(ids[row][found], similarities[row][found], strict=True)
        } == expected
        assert (np.diff(similarities[row]) <= 0).all()
        # In the place of those that are gone stands the image itself, which counts nowhere.
        assert found.all() or name not in records or (ids[row][~found] == row).all()


def test_the_oracle_has_the_labels_of_the_images_now():
    old, pairing = LabelOracle(np.array([0, 0, 1])), LabelOracle(np.array([1, 1]))
    old.push()
    pairing.set_state(pairing.follow(old.get_state(), [2, -1]))
    assert pairing.pushes == 1
    assert set(pairing.partners([0, 0, 1])) <= {0, 1}
    np.testing.assert_array_equal(pairing.get_state()["labels"], [1, 1])


def test_a_pairing_for_any_number_goes_on():
    old = SelfPairing()
    old.push()
    assert SelfPairing().follow(old.get_state(), [1, -1]) == {"pushes": 1}


def test_what_cannot_go_on_says_so():
    class Remembers(Pairing):
        def _arrays(self):
            return {"memory": np.zeros(self.num_images)}

    with pytest.raises(NotImplementedError, match="Remembers must implement `_follow"):
        Remembers(2).follow(Remembers(2).get_state(), [1, 0])
    with pytest.raises(ValueError, match=r"`previous` of shape \(3,\)"):
        NearestNeighbor(3, 2).follow(NearestNeighbor(2, 2).get_state(), [1, 0])
