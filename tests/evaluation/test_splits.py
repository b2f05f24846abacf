import numpy as np
import pytest

from keras_adasim.evaluation import error_of_mean, standard_error
from keras_adasim.evaluation.splits import places_in_class, stratified_split

LABELS = np.repeat([3, 7, 5, 9], [10, 1, 2, 5])[np.random.default_rng(0).permutation(18)]


def test_every_class_has_its_share():
    kept, held_out = stratified_split(LABELS, 0.3, seed=1)
    assert sorted([*kept, *held_out]) == list(range(18))
    counts = {label: int(np.sum(LABELS[held_out] == label)) for label in (3, 5, 7, 9)}
    assert counts == {3: 3, 5: 1, 7: 0, 9: 2}
    assert (np.diff(held_out) > 0).all()


def test_the_seed_decides():
    first, again, other = (stratified_split(LABELS, 0.3, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_places_are_a_random_order_of_each_class():
    places, counts = places_in_class(LABELS, seed=0)
    for label in np.unique(LABELS):
        own = label == LABELS
        assert sorted(places[own]) == list(range(own.sum()))
        assert (counts[own] == own.sum()).all()
    assert list(places[LABELS == 3]) != list(range(10))


def test_standard_error():
    assert standard_error(0.5, 2500) == 0.01
    assert standard_error(1.0, 3) == 0.0
    shares = np.random.default_rng(0).binomial(400, 0.3, 20_000) / 400
    assert standard_error(0.3, 400) == pytest.approx(np.std(shares), rel=0.02)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`share` to be in \(0, 1\).*share=1"):
        stratified_split(LABELS, 1)
    with pytest.raises(ValueError, match=r"`seed` to be a non-negative integer.*seed=-1"):
        stratified_split(LABELS, 0.5, -1)
    with pytest.raises(ValueError, match=r"`labels` to be a vector.*"):
        stratified_split([0.5], 0.5)
    with pytest.raises(ValueError, match=r"`share` to be in \[0, 1\].*share=nan"):
        standard_error(np.nan, 4)


def test_error_of_mean():
    assert error_of_mean([1, 2, 3, np.nan]) == pytest.approx(1 / np.sqrt(3))
    assert np.isnan(error_of_mean([1.0]))
    draws = np.random.default_rng(0).normal(size=(4000, 9))
    spread = np.std(draws.mean(axis=1))
    assert np.mean([error_of_mean(each) for each in draws[:500]]) == pytest.approx(spread, rel=0.05)
