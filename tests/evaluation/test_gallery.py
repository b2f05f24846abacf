"""Neighbors of a window and of features, and which images are shown."""

import numpy as np
import pytest

from keras_adasim.evaluation.gallery import by_cosine, by_window, choose
from keras_adasim.pairing import AdaptiveWindow

# Three epochs of three images: 0 finds itself first, 1 finds 0, 2 finds itself late.
RECORDS = [
    ([[0, 1], [0, 1], [1, 0]], [[0.9, 0.5], [0.8, 0.4], [0.7, 0.6]]),
    ([[0, 2], [0, 2], [2, 1]], [[0.8, 0.6], [0.8, 0.4], [0.9, 0.3]]),
    ([[0, 1], [0, 1], [2, 0]], [[0.9, 0.5], [0.8, 0.4], [0.9, 0.6]]),
]


def window(epochs):
    pairing = AdaptiveWindow(3, window=2, topk=2, temperature=0.1)
    for ids, similarities in RECORDS[:epochs]:
        pairing.push(np.array(ids), np.array(similarities))
    return pairing


def test_a_window_tells_means_gates_and_when_each_neighbor_was_there():
    found = by_window(window(3), [0, 1])
    assert found.ids.tolist() == [[0, 2], [1, 0]]
    np.testing.assert_allclose(found.similarities, [[0.85, 0.3], [0.2, 0.8]], atol=1e-6)
    assert found.is_open.tolist() == [True, False]
    assert found.is_full.tolist() == [True, True]
    assert found.history[0].tolist() == [[True, True], [True, False]]
    assert found.history[1].tolist() == [[False, True], [True, True]]
    share = np.exp(-0.55 / 0.1)
    np.testing.assert_allclose(found.probabilities[0], np.array([1, share]) / (1 + share))


def test_before_the_window_is_full_nobody_is_open():
    found = by_window(window(1), [0])
    assert (found.is_open.tolist(), found.is_full.tolist()) == ([False], [False])
    assert found.history.shape == (1, 2, 1)
    lonely = by_window(window(0), [2])
    assert lonely.ids.tolist() == [[2, -1]]
    assert lonely.history.shape == (1, 2, 0)


def test_cosines_are_ranked_as_a_loop_ranks_them(monkeypatch):
    monkeypatch.setattr("keras_adasim.evaluation.gallery.CHUNK", 3)
    features = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    found = by_cosine(features, [5, 1], k=3)
    for query, ids, cosines in zip([5, 1], found.ids, found.similarities, strict=True):
        norms = np.linalg.norm(features, axis=1)
        expected = features @ features[query] / norms / norms[query]
        order = np.argsort(-expected)[:3]
        assert ids.tolist() == order.tolist()
        assert ids[0] == query
        np.testing.assert_allclose(cosines, expected[order], atol=1e-6)
    assert found.probabilities is None


def test_choices():
    now, earlier = window(3), window(2)
    assert earlier.distribution(np.arange(3))[2].tolist() == [True, False, False]
    assert now.distribution(np.arange(3))[2].tolist() == [True, False, True]
    assert choose(3, 5, "just_opened", now, earlier).tolist() == [2]
    assert choose(3, 1, "churns", now).tolist() == [0]
    assert choose(3, 3, "surest", now).tolist() == []  # No other image has a chance of 1 %.
    first = choose(100, 4, "seed", seed=3)
    assert len(set(first.tolist())) == 4
    assert first.tolist() == choose(100, 4, "seed", seed=3).tolist() != choose(100, 4).tolist()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: choose(3, 1, "best"), "`how`"),
        (lambda: choose(3, 1, "surest"), "`pairing`"),
        (lambda: choose(3, 1, "just_opened", window(3)), "`earlier`"),
        (lambda: choose(3, 0), "`count`"),
        (lambda: by_window(None, [0]), "`pairing`"),
        (lambda: by_window(window(1), [3]), "`queries`"),
        (lambda: by_cosine(np.eye(3), [0], k=4), "k=4"),
        (lambda: by_cosine(np.eye(3), [3], k=1), "`queries`"),
    ],
)
def test_wrong_arguments_are_named(call, word):
    with pytest.raises(ValueError, match=word):
        call()
