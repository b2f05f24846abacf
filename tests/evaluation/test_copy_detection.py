import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score

from keras_adasim.evaluation.copy_detection import Whitening, gem_pool, micro_average_precision

RNG = np.random.default_rng(0)


def test_equals_scikit_learn():
    scores = RNG.normal(size=60).round(1)  # With ties.
    is_match = RNG.uniform(size=60) < 0.3
    expected = average_precision_score(is_match, scores)
    assert micro_average_precision(scores, is_match) == pytest.approx(expected)


def test_by_hand():
    scores, is_match = [0.9, 0.8, 0.5, 0.5], np.array([False, True, True, False])
    # Precision 1/2 at the first match; at the ties 2/4.
    assert micro_average_precision(scores, is_match) == pytest.approx((1 / 2 + 2 / 4) / 2)
    # Two matches more, that were never retrieved.
    assert micro_average_precision(scores, is_match, 4) == pytest.approx((1 / 2 + 2 / 4) / 4)
    assert micro_average_precision(scores, ~is_match) == pytest.approx((1 + 2 / 4) / 2)
    assert micro_average_precision(scores, np.zeros(4, bool), 3) == 0.0
    assert micro_average_precision([], np.zeros(0, bool), 3) == 0.0
    assert np.isnan(micro_average_precision(scores, np.zeros(4, bool)))


def test_generalized_mean():
    tokens = np.array([[[1.0, -5.0], [2.0, 3.0]]])
    np.testing.assert_allclose(gem_pool(tokens, 4), [[8.5**0.25, 40.5**0.25]])
    np.testing.assert_allclose(gem_pool(tokens, 1, smallest=1e-9), [[1.5, 1.5]], rtol=1e-8)
    assert gem_pool(tokens.astype(np.float32)).dtype == np.float32


def test_whitening_equals_scikit_learn():
    distractors = RNG.normal(size=(80, 5)) @ RNG.normal(size=(5, 5)) + 3
    features = RNG.normal(size=(7, 5))
    found = Whitening(distractors, dim=3)(features)
    pca = PCA(3, whiten=True).fit(distractors)
    # There the variance is divided by n - 1, and signs are chosen.
    expected = pca.transform(features) * np.sqrt(80 / 79)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-5)
    white = Whitening(distractors)(distractors)
    np.testing.assert_allclose(white.T @ white / 80, np.eye(5), atol=1e-5)


def test_directions_that_no_distractor_has_stay_small():
    distractors = np.zeros((40, 3))
    distractors[:, :2] = RNG.normal(size=(40, 2))
    found = Whitening(distractors)(np.array([[0.0, 0.0, 1.0]]))
    assert np.abs(found).max() < 1.1 / np.sqrt(1e-5 * distractors.var(axis=0).max())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: micro_average_precision([0.5, np.nan], [True] * 2), r"`scores` .* finite"),
        (lambda: micro_average_precision([0.5], [1]), r"`is_match` .* booleans.*int"),
        (lambda: micro_average_precision([0.5], [True] * 2), r"as many pairs.* 1 scores, 2 bool"),
        (lambda: micro_average_precision([0.5], [True], 0), r"`num_matches` .*has 1"),
        (lambda: gem_pool(np.ones((2, 3))), r"`tokens` .*\(2, 3\)"),
        (lambda: gem_pool(np.ones((2, 3, 4)), 0), r"`power` to be a positive number"),
        (lambda: Whitening(np.ones((9, 3))), r"`distractors` .* differ"),
        (lambda: Whitening(np.eye(3), dim=4), r"`dim` to be at most 3.*dim=4"),
        (lambda: Whitening(np.eye(3))(np.ones((2, 4))), r"`features` of 3 numbers.*\(2, 4\)"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
