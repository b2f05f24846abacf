import itertools

import numpy as np
import pytest

from keras_adasim.evaluation import label_free
from keras_adasim.evaluation.label_free import alignment, alpha_req, rank_me, uniformity

RNG = np.random.default_rng(0)


def _with_spectrum(values, count=200):
    """Centered features whose singular values are those given."""
    columns = RNG.normal(size=(count, len(values)))
    left, _ = np.linalg.qr(columns - columns.mean(axis=0))
    right, _ = np.linalg.qr(RNG.normal(size=(len(values), len(values))))
    return left * values @ right.T


def _unit(features):
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def _slow_rank_me(features):
    values = np.linalg.svd(features, compute_uv=False)
    return np.prod([(v / sum(values)) ** -(v / sum(values)) for v in values])


def _slow_alpha_req(features):
    eigenvalues = np.sort(np.linalg.eigvalsh(np.cov(features, rowvar=False)))[::-1]
    kept = eigenvalues[eigenvalues > 1e-6 * eigenvalues[0]]
    return -np.polyfit(np.log(np.arange(1, len(kept) + 1)), np.log(kept), 1)[0]


def _slow_uniformity(features, t):
    pairs = itertools.combinations(_unit(features), 2)
    return np.log(np.mean([np.exp(-t * np.sum((x - y) ** 2)) for x, y in pairs]))


def _slow_alignment(first, second):
    pairs = zip(_unit(first), _unit(second), strict=True)
    return np.mean([np.sum((x - y) ** 2) for x, y in pairs])


@pytest.mark.parametrize("chunk", [1, 60, 2**22])
@pytest.mark.parametrize("shape", [(30, 6), (5, 12), (2, 1)])
def test_equals_the_slow_version(monkeypatch, chunk, shape):
    monkeypatch.setattr(label_free, "CHUNK", chunk)
    features, others = RNG.normal(size=(2, *shape)) + 0.3
    assert rank_me(features) == pytest.approx(_slow_rank_me(features), rel=1e-9)
    assert uniformity(features) == pytest.approx(_slow_uniformity(features, 2), rel=1e-9, abs=1e-9)
    assert uniformity(features, t=0.5) == pytest.approx(
        _slow_uniformity(features, 0.5), rel=1e-9, abs=1e-9
    )
    assert alignment(features, others) == pytest.approx(_slow_alignment(features, others), rel=1e-9)
    if shape != (2, 1):
        assert alpha_req(features) == pytest.approx(_slow_alpha_req(features), rel=1e-9)


def test_rank_by_hand():
    assert rank_me(np.eye(7)) == pytest.approx(7)
    assert rank_me(np.outer(RNG.normal(size=40), RNG.normal(size=16))) == pytest.approx(1, abs=1e-9)
    # Shares of 3/4 and 1/4.
    assert rank_me([[3.0, 0.0], [0.0, 1.0]]) == pytest.approx(4 / 3**0.75)
    assert rank_me(np.zeros((4, 3))) == 0.0


def test_rank_is_of_features_as_they_are():
    # Centered, features that differ only along one axis would have rank 1.
    features = np.array([[1.0, 1.0], [-1.0, 1.0]])
    assert rank_me(features) == pytest.approx(2)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.3])
def test_exponent_of_a_power_law(alpha):
    values = np.arange(1.0, 21.0) ** (-alpha / 2)
    features = _with_spectrum(values) + RNG.normal(size=20)
    assert alpha_req(features) == pytest.approx(alpha, abs=1e-6)
    assert alpha_req(1e3 * features.astype(np.float32)) == pytest.approx(alpha, abs=1e-3)


def test_small_eigenvalues_are_left_out():
    values = np.array([1.0, 0.25, 0.0009, 0.0]) ** 0.5
    few = alpha_req(_with_spectrum(values))
    with_noise = alpha_req(_with_spectrum(np.array([1.0, 0.25, 0.0009, 9e-7]) ** 0.5))
    assert with_noise == pytest.approx(few)
    below = alpha_req(_with_spectrum(np.array([1.0, 0.25, 0.0009, 2e-6]) ** 0.5))
    assert below > few + 1


def test_no_spectrum():
    # The rounding of a mean of equal rows is no spectrum.
    assert np.isnan(alpha_req(np.full((50, 8), 0.1)))
    assert np.isnan(alpha_req([[0.0, 0.0], [1.0, 2.0]]))


def test_uniformity_by_hand():
    # All distances are sqrt(2), whatever the lengths.
    assert uniformity(np.diag([1.0, 2.0, 9.0])) == pytest.approx(-4)
    assert uniformity(np.eye(3), t=1) == pytest.approx(-2)
    assert uniformity([[2.0, 0.0], [-1.0, 0.0]]) == pytest.approx(-8)
    assert uniformity(np.tile(RNG.normal(size=5), (6, 1))) == pytest.approx(0, abs=1e-12)
    # exp(-1000 * 2) is 0 in double precision.
    assert uniformity(np.eye(3), t=1000) == pytest.approx(-2000)


def test_alignment_by_hand():
    features = RNG.normal(size=(9, 4))
    assert alignment(features, 3 * features) == pytest.approx(0)
    assert alignment(features, -features) == pytest.approx(4)
    assert alignment(np.eye(4), np.eye(4)[::-1]) == pytest.approx(2)
    assert alignment([[1.0, 0.0]], [[3.0, 4.0]]) == pytest.approx(2 - 2 * 0.6)


def test_inside_all_is_double_precision():
    features = (1 + 1e-4 * RNG.normal(size=(40, 6))).astype(np.float32)
    exact = features.astype(np.float64)
    assert rank_me(features) == pytest.approx(_slow_rank_me(exact), rel=1e-12)
    assert uniformity(features) == pytest.approx(_slow_uniformity(exact, 2), rel=1e-6)


@pytest.mark.parametrize("measure", [rank_me, alpha_req, uniformity])
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones(6), r"`features` of shape \(images, size\).*features\.shape=\(6,\)"),
        (np.ones((2, 3, 4)), r"`features` of shape.*\(2, 3, 4\)"),
        (np.ones((1, 6)), r"`features`.*at least two images.*\(1, 6\)"),
        (np.ones((6, 0)), r"`features`.*\(6, 0\)"),
        ([[1.0, 2.0], [np.nan, 0.0]], r"finite `features`.*diverged"),
        ([[1.0, 2.0], [np.inf, 0.0]], r"finite `features`.*diverged"),
    ],
)
def test_wrong_features(measure, features, message):
    with pytest.raises(ValueError, match=message):
        measure(features)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones(6), np.ones(6), r"`first` of shape"),
        (np.ones((0, 6)), np.ones((0, 6)), r"`first`.*at least one image"),
        (np.ones((3, 6)), np.full((3, 6), np.nan), r"finite `second`"),
        (np.ones((3, 6)), np.ones((4, 6)), r"one shape.*first\.shape=\(3, 6\).*\(4, 6\)"),
    ],
)
def test_wrong_views(first, second, message):
    with pytest.raises(ValueError, match=message):
        alignment(first, second)


@pytest.mark.parametrize("t", [0, -1, np.nan, np.inf])
def test_wrong_t(t):
    with pytest.raises(ValueError, match=r"`t` to be a positive number. Received: t="):
        uniformity(np.eye(3), t)
