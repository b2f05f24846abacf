import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keras_adasim.evaluation.few_labels import (
    class_balanced_subset,
    logistic_regression,
    subset_per_class,
)


def _labels():
    """100 of each of four classes, and three of a fifth."""
    labels = np.repeat(["a", "b", "c", "d", "rare"], [100, 100, 100, 100, 3])
    return labels[np.random.default_rng(0).permutation(len(labels))]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.01, 1), (0.1, 8), (0.05, 4), (1e-9, 1), (1.0, 81)]
)
def test_every_class_has_the_same_number(share, expected):
    """max(1, round(share * 403 / 5)), or all where a class has fewer."""
    labels = _labels()
    subset = class_balanced_subset(labels, share, seed=3)
    names, counts = np.unique(labels[subset], return_counts=True)
    found = dict(zip(names, counts, strict=True))
    assert found == {**dict.fromkeys("abcd", expected), "rare": min(3, expected)}
    assert (np.diff(subset) > 0).all()


def test_the_seed_decides_and_small_subsets_are_part_of_large_ones():
    labels = _labels()
    small, large = (class_balanced_subset(labels, share, 3) for share in (0.02, 0.2))
    np.testing.assert_array_equal(small, class_balanced_subset(labels, 0.02, 3))
    assert set(small) < set(large)
    assert set(small) != set(class_balanced_subset(labels, 0.02, 4))
    np.testing.assert_array_equal(subset_per_class(labels, 2, 3), small)


def _classes(count, seed, noise=1.0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return rng.normal(0, noise, (count, 6)) + 2 * np.eye(6)[labels], labels


def test_one_strength_is_scikit_learns_regression():
    train, labels = _classes(60, 0)
    test, test_labels = _classes(200, 1)
    found = logistic_regression(train, labels, test, test_labels, strengths=[0.03])
    scaled, tests = (6**0.5 * x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test))
    model = LogisticRegression(C=0.03, max_iter=1000).fit(scaled, labels)
    assert found.top1 == pytest.approx(model.score(tests, test_labels))
    assert 0.7 < found.top1 < 1
    assert found.standard_error == pytest.approx((found.top1 * (1 - found.top1) / 200) ** 0.5)
    assert found.strength == 0.03
    again = logistic_regression(1e20 * train, labels, 1e-20 * test, test_labels, [0.03])
    assert again.top1 == pytest.approx(found.top1)


def test_the_strength_is_chosen_without_the_test_images():
    train, labels = _classes(60, 0)
    test, test_labels = _classes(50, 1)
    first = logistic_regression(train, labels, test, test_labels)
    other = logistic_regression(train, labels, -test, test_labels)
    assert (first.strength, first.validation) == (other.strength, other.validation)
    assert first.top1 > 0.7 > 0.2 > other.top1


def test_one_image_per_class_has_no_validation():
    train, labels = _classes(3, 0, noise=0.1)
    found = logistic_regression(train, labels, *_classes(30, 1, noise=0.1))
    assert (found.top1, found.strength, found.validation) == (1.0, 1.0, None)


FEATURES, LABELS = _classes(12, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train_labels": [1] * 12}, r"`train_labels` of at least two classes.*of 1, "),
        ({"train_features": FEATURES[:, :3]}, r"of one size.*\(12, 3\) and \(12, 6\)"),
        ({"test_features": np.full((12, 6), np.nan)}, "finite `test_features`"),
        ({"strengths": []}, r"`strengths` to be a list of numbers.*\[\]"),
        ({"strengths": [0]}, r"`strengths` to be a positive number.*=0"),
        ({"seed": 0.5}, r"`seed` to be a non-negative integer.*=0.5"),
        ({"test_labels": [1]}, r"`test_labels` to be .* 12 of them"),
    ],
)
def test_wrong_arguments(arguments, message):
    names = ("train_features", "train_labels", "test_features", "test_labels")
    right = dict(zip(names, (FEATURES, LABELS) * 2, strict=True))
    with pytest.raises(ValueError, match=message):
        logistic_regression(**{**right, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 0}, r"`share` to be in \(0, 1\].*share=0"),
        ({"share": float("nan")}, r"share=nan"),
        ({"seed": -1}, r"seed=-1"),
        ({"labels": []}, "`labels`"),
    ],
)
def test_wrong_arguments_of_subsets(arguments, message):
    with pytest.raises(ValueError, match=message):
        class_balanced_subset(**{"labels": [0, 1], "share": 0.5, "seed": 0, **arguments})
