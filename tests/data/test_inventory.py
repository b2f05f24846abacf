import numpy as np
import pytest

from keras_adasim.data import ArraySource, Inventory, inventory

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), np.uint8)


def test_an_inventory_is_arrays_that_can_be_kept(tmp_path):
    before = Inventory.of(ArraySource(IMAGES))
    np.savez(tmp_path / "images.npz", **before.to_arrays())
    with np.load(tmp_path / "images.npz", allow_pickle=False) as arrays:
        again = Inventory.from_arrays(arrays)
    assert again.keys == before.keys
    assert again.facts() == before.facts()
    assert not before.changes_since(again)


def test_the_digits_tell_sets_apart(monkeypatch):
    monkeypatch.setattr(inventory, "SAMPLES", 3)
    images = [IMAGES, IMAGES[:-1], IMAGES[::-1], IMAGES[..., :1]]
    found = {Inventory.of(ArraySource(each)).facts()["fingerprint"] for each in images}
    assert len(found) == 4
    assert all(len(digits) == 16 for digits in found)


@pytest.mark.parametrize(
    "damaged",
    [
        {"fingerprints": np.zeros(3, np.uint64)},
        {"contents": np.zeros(3, np.uint64)},
        {"sample": np.full(9, 9)},
        {"keys_offsets": np.arange(4)},
    ],
)
def test_parts_that_do_not_fit_are_refused(damaged):
    arrays = Inventory.of(ArraySource(IMAGES)).to_arrays()
    with pytest.raises(ValueError, match="Expected "):
        Inventory.from_arrays({**arrays, **damaged})
