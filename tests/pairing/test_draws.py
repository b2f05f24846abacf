import numpy as np
import pytest

from keras_adasim.pairing.draws import uniform

INDICES = np.arange(100_000)


def kolmogorov_smirnov(sample):
    """Largest distance to the uniform distribution, times the root of the sample size."""
    ordered = np.sort(sample)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    distance = max(np.abs(ordered - steps[:-1]).max(), np.abs(ordered - steps[1:]).max())
    return distance * len(ordered) ** 0.5


def test_in_the_unit_interval_and_equal_when_asked_again():
    draws = uniform(0, 3, INDICES)
    assert draws.dtype == np.float64
    assert draws.min() >= 0
    assert draws.max() < 1
    np.testing.assert_array_equal(draws, uniform(0, 3, INDICES))


def test_independent_of_order_and_batch():
    order = np.random.default_rng(0).permutation(1000)
    draws = uniform(5, 2, np.arange(1000))
    np.testing.assert_array_equal(uniform(5, 2, order), draws[order])
    np.testing.assert_array_equal(uniform(5, 2, np.array([17])), draws[17:18])


@pytest.mark.parametrize(("seed", "pushes"), [(0, 0), (0, 1), (1, 50), (2**63, 7)])
def test_uniform_over_images(seed, pushes):
    assert kolmogorov_smirnov(uniform(seed, pushes, INDICES)) < 1.95  # 0.1 % level


def test_uniform_over_pushes_and_over_seeds():
    one = np.array([41])
    assert kolmogorov_smirnov(np.concatenate([uniform(0, p, one) for p in range(3000)])) < 1.95
    assert kolmogorov_smirnov(np.concatenate([uniform(s, 9, one) for s in range(3000)])) < 1.95


@pytest.mark.parametrize("other", [(0, 4, 0), (1, 3, 0), (0, 3, 1), (1, 2, 0), (0, 3, 64)])
def test_streams_are_uncorrelated(other):
    seed, pushes, shift = other
    first, second = uniform(0, 3, INDICES), uniform(seed, pushes, INDICES + shift)
    correlation = np.corrcoef(first, second)[0, 1]
    assert abs(correlation) < 4 / len(INDICES) ** 0.5
