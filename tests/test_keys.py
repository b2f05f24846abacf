import os

import numpy as np
import pytest

from keras_adasim import keys as keys_module
from keras_adasim.keys import Keys

NAMES = ["", "a", "a\0", "cat/1.png" * 9, os.fsdecode(b"caf\xe9.png"), "\N{SNOWMAN}", "b"]


def some_names(count, rng):
    """Short names of few letters, in a random order, of which many begin alike."""
    letters = np.array(list("ab\0é"))
    sizes = rng.integers(0, 20, 3 * count)
    return list({"".join(rng.choice(letters, size)) for size in sizes})[:count]


def test_keys_are_a_sequence_of_strings():
    keys = Keys(NAMES)
    assert list(keys) == [keys[i] for i in range(len(keys))] == NAMES
    assert keys[-1] == "b"
    assert list(keys[2:4]) == NAMES[2:4]
    assert list(keys[np.array([5, 0])]) == [NAMES[5], NAMES[0]]
    assert keys == Keys(NAMES)
    assert keys != Keys(NAMES[::-1])
    assert list(Keys.from_arrays(keys.to_arrays())) == NAMES
    assert len(Keys([])) == 0


@pytest.mark.parametrize("collide", [False, True])
def test_keys_are_found_where_they_are(collide, monkeypatch):
    """As a dict finds them; also when many have the same hash, which compares the strings."""
    monkeypatch.setattr(keys_module, "_CHUNK", 7)
    if collide:
        of_all = keys_module._hash
        monkeypatch.setattr(keys_module, "_hash", lambda w, n: of_all(w, n) % np.uint64(5))
    rng = np.random.default_rng(0)
    names = some_names(120, rng)
    here, there = names[:80], names[40:]
    places = {name: place for place, name in enumerate(here)}
    found = Keys(here).find(there)
    np.testing.assert_array_equal(found, [places.get(name, -1) for name in there])
    assert 0 < np.count_nonzero(found == -1) < len(there)
    np.testing.assert_array_equal(Keys(here).find([]), [])
    np.testing.assert_array_equal(Keys([]).find(here[:2]), [-1, -1])
    with pytest.raises(ValueError, match="the key of images 3 and 80"):
        Keys([*here, here[3]])


def test_a_hash_is_of_the_key_alone():
    alone = [Keys([name]).hashes()[0] for name in NAMES]
    np.testing.assert_array_equal(Keys(NAMES).hashes(), alone)


def test_one_key_more_changes_a_sample_by_one():
    rng = np.random.default_rng(1)
    names = some_names(101, rng)
    for seed in range(5):
        drawn = [names[i] for i in Keys(names).shuffled(seed)]
        assert sorted(drawn) == sorted(names)
        # The others stay in their order, wherever they stand.
        fewer = list(rng.permutation(names[:-1]))
        assert [fewer[i] for i in Keys(fewer).shuffled(seed)] == [
            n for n in drawn if n != names[-1]
        ]
    orders = np.array([np.argsort(Keys(names).shuffled(seed)) for seed in range(200)])
    # Each is as likely to be among the first ten as any other: within five standard deviations.
    counts = np.count_nonzero(orders < 10, axis=0)
    assert abs(counts - 200 * 10 / 101).max() < 5 * np.sqrt(200 * 10 / 101 * 91 / 101)
    assert abs(np.corrcoef(orders)[np.triu_indices(200, 1)].mean()) < 0.01


def test_a_key_that_is_no_string_and_damaged_arrays_are_refused():
    with pytest.raises(TypeError, match="Received: 3, key 1"):
        Keys(["a", 3])
    arrays = Keys(["a", "b"]).to_arrays()
    for damaged in (
        {"offsets": np.array([0, 2, 1])},
        {"offsets": np.array([0, 1, 3])},
        {"offsets": arrays["offsets"].astype("int32")},
        {"bytes": arrays["bytes"][:1]},
    ):
        with pytest.raises(ValueError, match="Expected keys as `to_arrays` gives them"):
            Keys.from_arrays({**arrays, **damaged})
