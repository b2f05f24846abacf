import numpy as np
import pytest

from keras_adasim.pairing.record_window import RecordWindow
from keras_adasim.pairing.vote import vote


def words_of(ids, similarities, num_images):
    """Packs (n, w, k) records; returns ((n, w * k) words, window)."""
    num_rows, epochs, topk = ids.shape
    window = RecordWindow(num_images, epochs, topk)
    for epoch in range(epochs):
        window.write(epoch, ids[:, epoch], similarities[:, epoch])
    return window.read(np.arange(num_rows), slice(None)).reshape(num_rows, -1), window


@pytest.mark.parametrize("topk", [1, 3, 8])
def test_equals_a_dictionary_per_image(topk):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 40, (40, 4, 3))
    similarities = rng.uniform(-1, 1, ids.shape).astype(np.float32)
    words, window = words_of(ids, similarities, 40)
    top, sums, found = vote(words, window.fraction_bits, topk)
    for row in range(40):
        totals = {}
        for neighbor, similarity in zip(
            ids[row].ravel().tolist(), similarities[row].ravel().tolist(), strict=True
        ):
            totals[neighbor] = totals.get(neighbor, 0.0) + similarity
        ranked = sorted(totals, key=lambda neighbor: (-totals[neighbor], neighbor))[:topk]
        assert found[row].sum() == len(ranked)
        assert top[row, : len(ranked)].tolist() == ranked
        expected = [totals[neighbor] for neighbor in ranked]
        np.testing.assert_allclose(sums[row, : len(ranked)] / window.scale, expected, atol=1e-9)


def test_ties_go_to_the_smaller_id():
    ids = np.broadcast_to([[7, 2, 9, 4]], (10, 1, 4))
    words, window = words_of(ids, np.full(ids.shape, 0.3), 10)
    top, _, _ = vote(words, window.fraction_bits, 3)
    assert (top == [2, 4, 7]).all()


def test_ties_between_sums_of_different_parts():
    ids = np.broadcast_to([[5, 3], [5, 8]], (9, 2, 2))
    similarities = np.broadcast_to([[0.25, 0.75], [0.5, 0.125]], (9, 2, 2))
    words, window = words_of(ids, similarities, 9)
    top, sums, _ = vote(words, window.fraction_bits, 2)
    assert (top == [3, 5]).all()
    assert (sums[:, 0] == sums[:, 1]).all()


def test_negative_sums_rank_below_zero():
    ids = np.broadcast_to([[0, 1, 2]], (3, 1, 3))
    similarities = np.broadcast_to([[-0.5, 0.0, -0.25]], (3, 1, 3))
    words, window = words_of(ids, similarities, 3)
    top, _, _ = vote(words, window.fraction_bits, 3)
    assert (top == [1, 2, 0]).all()


def test_places_without_a_candidate_are_marked():
    ids = np.full((4, 3, 2), 1)
    words, window = words_of(ids, np.full(ids.shape, 0.5), 4)
    top, sums, found = vote(words, window.fraction_bits, 2)
    assert (found == [True, False]).all()
    assert (top == [1, 0]).all()
    np.testing.assert_array_equal(sums / window.scale, np.broadcast_to([3.0, 0.0], (4, 2)))


def test_a_running_sum_may_wrap_around():
    # The largest ids, so that their part of the running sum passes 2**63 many times.
    num_images = 2**10
    ids = np.broadcast_to(num_images - 1 - np.arange(20), (num_images, 60, 20))
    similarities = np.broadcast_to(np.linspace(1, 0.05, 20), ids.shape)
    words, window = words_of(ids, similarities, num_images)
    top, sums, _ = vote(words, window.fraction_bits, 20)
    assert (top == ids[0, 0]).all()
    np.testing.assert_allclose(sums / window.scale / 60, similarities[:, 0], atol=1e-6)
