import numpy as np
import pytest

from keras_adasim.evaluation import knn
from keras_adasim.evaluation.knn import (
    knn_accuracies,
    knn_accuracy,
    leave_one_out_accuracies,
    leave_one_out_accuracy,
)


def _one_by_one(train, train_labels, test, test_labels, k, temperature):
    """The same rule, a Python loop per image."""
    train = train / np.linalg.norm(train, axis=1, keepdims=True)
    test = test / np.linalg.norm(test, axis=1, keepdims=True)
    first = fifth = 0
    for feature, label in zip(test, test_labels, strict=True):
        cosines = train @ feature
        votes = {}
        for i in np.argsort(-cosines, kind="stable")[:k]:
            vote = np.exp(cosines[i] / temperature)
            votes[train_labels[i]] = votes.get(train_labels[i], 0.0) + vote
        ranked = sorted(votes, key=lambda name: (-votes[name], name))
        first += label == ranked[0]
        fifth += label in ranked[:5]
    return first / len(test), fifth / len(test)


def _random(seed=0, count=60, classes=9):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 8)), rng.integers(0, classes, count) * 7 - 20


def test_golden(golden):
    arrays, scalars = golden("knn_eval")
    for i, k in enumerate(scalars["neighbor_counts"]):
        top1, top5 = knn_accuracy(
            arrays["train_features"],
            arrays["train_labels"],
            arrays["test_features"],
            arrays["test_labels"],
            k,
            scalars["temperature"],
        )
        assert 100 * top1 == pytest.approx(scalars["top1_percent"][i], abs=1e-4)
        wrong = scalars["top5_percent_zero_vote_targets_wrong"][i]
        assert 100 * top5 == pytest.approx(wrong, abs=1e-4)
        assert 100 * top5 <= scalars["top5_percent_zero_vote_targets_right"][i] + 1e-4


@pytest.mark.parametrize("k", [1, 3, 20, 60])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_equals_a_loop(k, temperature):
    train, labels = _random()
    test, test_labels = _random(1, 40)
    expected = _one_by_one(train, labels, test, test_labels, k, temperature)
    assert knn_accuracy(train, labels, test, test_labels, k, temperature) == expected


def test_chunks_make_no_difference(monkeypatch):
    train, labels = _random()
    test, test_labels = _random(1, 40)
    whole = knn_accuracy(train, labels, test, test_labels, 5)
    monkeypatch.setattr(knn, "CHUNK", 7 * 60)
    assert knn_accuracy(train, labels, test, test_labels, 5) == whole


def test_several_votes_are_those_one_by_one(monkeypatch):
    """One search for all, in which the neighbors are looked for once."""
    train, labels = _random()
    test, test_labels = _random(1, 40)
    searches = []
    search = knn._nearest
    monkeypatch.setattr(
        knn, "_nearest", lambda *args, **kw: searches.append(1) or search(*args, **kw)
    )
    votes = [5, 1, 20], [0.07, 1.0]
    found = knn_accuracies(train, labels, test, test_labels, *votes)
    alone = leave_one_out_accuracies(train, labels, *votes)
    assert len(searches) == 2
    assert list(found) == [(5, 0.07), (5, 1.0), (1, 0.07), (1, 1.0), (20, 0.07), (20, 1.0)]
    for vote, accuracies in found.items():
        assert accuracies == knn_accuracy(train, labels, test, test_labels, *vote)
        assert alone[vote] == leave_one_out_accuracy(train, labels, *vote)
    with pytest.raises(ValueError, match=r"`ks` to be a list of numbers.*ks=\[\]"):
        knn_accuracies(train, labels, test, test_labels, [])
    with pytest.raises(ValueError, match=r"`temperatures` to be a positive number.*=0"):
        knn_accuracies(train, labels, test, test_labels, [1], [0.1, 0])
    with pytest.raises(ValueError, match=r"`k` to be at most 60.*k=61"):
        knn_accuracies(train, labels, test, test_labels, [1, 61])


def test_length_of_features_does_not_matter():
    train, labels = _random()
    test, test_labels = _random(1, 40)
    scaled = train * np.random.default_rng(2).uniform(0.1, 9, (60, 1))
    expected = knn_accuracy(train, labels, test, test_labels, 5)
    assert knn_accuracy(scaled, labels, 3 * test, test_labels, 5) == expected
    # The squares of the former overflow, those of the latter are 0.
    assert knn_accuracy(1e30 * train, labels, 1e-30 * test, test_labels, 5) == expected


def test_small_temperature_follows_the_nearest():
    # exp(1 / 0.0001) is infinite in double precision too.
    train, labels = _random()
    test, test_labels = _random(1, 40)
    nearest = knn_accuracy(train, labels, test, test_labels, 1)
    assert knn_accuracy(train, labels, test, test_labels, 20, 1e-4)[0] == nearest[0]


def test_equal_votes_go_to_the_smaller_label():
    train = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    assert knn_accuracy(train, [5, 3, 4], [[1.0, 0.0]], [3], 3) == (1.0, 1.0)
    assert knn_accuracy(train, [5, 3, 4], [[1.0, 0.0]], [4], 3) == (0.0, 1.0)


def test_label_without_a_vote_is_never_met():
    train, test = np.eye(3), np.eye(3)[:1]
    assert knn_accuracy(train, [0, 1, 2], test, [2], 1) == (0.0, 0.0)
    assert knn_accuracy(train, [0, 1, 2], test, [77], 3) == (0.0, 0.0)


def test_labels_may_be_strings():
    train = [[1.0, 0.0], [0.0, 1.0]]
    assert knn_accuracy(train, ["cat", "dog"], train, ["cat", "dog"], 1) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 61}, r"`k` to be at most 60.*k=61.*Lower `k`"),
        ({"k": 0}, r"`k` to be a positive integer.*k=0"),
        ({"k": 2.5}, r"`k` to be a positive integer.*k=2\.5"),
        ({"k": "3"}, r"`k` to be a positive integer.*k='3'"),
        ({"temperature": 0}, r"`temperature` to be a positive number. Received: temperature=0"),
        ({"train_labels": [1, 2]}, r"`train_labels` to be .* 60 of them\. .*\(2,\)"),
        ({"test_labels": [1, 2]}, r"`test_labels` to be .* 40 of them\. .*\(2,\)"),
        ({"train_features": np.ones((60, 9))}, r"of one size.*\(60, 9\) and \(40, 8\)"),
        ({"train_features": np.ones(60)}, r"`train_features` of shape \(images, size\).*\(60,\)"),
        ({"test_features": np.full((40, 8), np.nan)}, r"finite `test_features`.*diverged"),
    ],
)
def test_wrong_arguments(arguments, message):
    names = ("train_features", "train_labels", "test_features", "test_labels")
    values = dict(zip(names, (*_random(), *_random(1, 40)), strict=True))
    with pytest.raises(ValueError, match=message):
        knn_accuracy(**{**values, "k": 5, **arguments})


def _others(features, labels, image):
    """Training and test set of the split that leaves one image out."""
    left = np.arange(len(features)) != image
    return features[left], labels[left], features[~left], labels[~left]


@pytest.mark.parametrize("k", [1, 5, 29])
@pytest.mark.parametrize("chunk", [2**24, 7 * 30, 1])
def test_leave_one_out_is_the_mean_of_all_splits(monkeypatch, k, chunk):
    features, labels = _random(count=30)
    labels[4] = 1000  # No other image has this label.
    splits = [_others(features, labels, image) for image in range(30)]
    expected = np.mean([knn_accuracy(*split, k) for split in splits], axis=0)
    slow = np.mean([_one_by_one(*split, k, 0.07) for split in splits], axis=0)
    monkeypatch.setattr(knn, "CHUNK", chunk)
    accuracies = leave_one_out_accuracy(features, labels, k)
    assert accuracies == pytest.approx(tuple(expected))
    assert accuracies == pytest.approx(tuple(slow))


def test_leave_one_out_leaves_out_the_image_and_not_its_double():
    features = np.eye(3)
    assert leave_one_out_accuracy(features, [0, 1, 2], 1) == (0.0, 0.0)
    doubled = np.concatenate([features, 2 * features])
    assert leave_one_out_accuracy(doubled, [0, 1, 2, 0, 1, 2], 1) == (1.0, 1.0)
    # Every other image votes if k says so, the image itself never.
    assert leave_one_out_accuracy(doubled, [0, 1, 2, 3, 4, 5], 5)[1] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 60}, r"`k` to be at most 59.*k=60"),
        ({"k": True}, r"`k` to be a positive integer.*k=True"),
        (
            {"temperature": np.nan},
            r"`temperature` to be a positive number.*=nan",
        ),
        ({"labels": [1, 2]}, r"`labels` to be .* 60 of them\. .*\(2,\)"),
        ({"features": np.full((60, 8), np.nan)}, r"finite `features`.*diverged"),
        ({"features": np.ones((1, 8)), "labels": [1]}, r"`features` of at least two images"),
    ],
)
def test_wrong_arguments_of_leave_one_out(arguments, message):
    features, labels = _random()
    with pytest.raises(ValueError, match=message):
        leave_one_out_accuracy(**{"features": features, "labels": labels, "k": 5, **arguments})
