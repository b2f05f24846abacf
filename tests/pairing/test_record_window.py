import numpy as np
import pytest

from keras_adasim.pairing import record_window
from keras_adasim.pairing.record_window import RecordWindow


def random_records(num_images, topk, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, num_images, (num_images, topk))
    return ids, rng.uniform(-1, 1, ids.shape).astype(np.float32)


@pytest.mark.parametrize("num_images", [1, 2, 3, 64, 65])
def test_records_come_back(num_images):
    window = RecordWindow(num_images, window=3, topk=4)
    pushed = [random_records(num_images, 4, seed) for seed in range(3)]
    for slot, (ids, similarities) in enumerate(pushed):
        window.write(slot, ids, similarities)
    indices = np.arange(num_images)[::-1]
    ids, similarities = window.unpack(window.read(indices, [2, 0]))
    for column, slot in enumerate([2, 0]):
        np.testing.assert_array_equal(ids[:, column], pushed[slot][0][::-1])
        np.testing.assert_allclose(similarities[:, column], pushed[slot][1][::-1], atol=1e-11)


def test_the_largest_id_and_both_ends_of_the_similarities_are_exact():
    window = RecordWindow(1000, window=1, topk=3)
    ids = np.full((1000, 3), 999)
    window.write(0, ids, np.broadcast_to([1.0, 0.0, -1.0], (1000, 3)))
    ids, similarities = window.unpack(window.read(np.arange(1000), slice(None)))
    assert (ids == 999).all()
    assert (similarities == [1.0, 0.0, -1.0]).all()


def test_similarities_that_rounding_put_beyond_one_are_clipped():
    window = RecordWindow(2, window=1, topk=2)
    window.write(0, np.zeros((2, 2), int), np.broadcast_to([1.0000002, -1.0000002], (2, 2)))
    _, similarities = window.unpack(window.read(np.arange(2), slice(None)))
    assert (similarities == [1.0, -1.0]).all()


def test_imagenet_keeps_float32_similarities_above_a_quarter_exact():
    assert record_window._fraction_bits(1_281_167, window=50, topk=10) == 27


def test_six_bytes_a_record():
    assert RecordWindow.memory_bytes(1_281_167, 50, 10) == 3_843_501_000
    window = RecordWindow(10, window=4, topk=3)
    assert window.high.nbytes + window.low.nbytes == RecordWindow.memory_bytes(10, 4, 3)


def test_a_refused_write_changes_nothing():
    window = RecordWindow(4, window=1, topk=2)
    ids, similarities = random_records(4, 2)
    window.write(0, ids, similarities)
    before = window.high.copy()
    with pytest.raises(ValueError, match="`similarities`"):
        window.write(0, ids * 0, np.full((4, 2), np.nan, np.float32))
    np.testing.assert_array_equal(window.high, before)


def test_a_window_too_long_for_its_ranking_keys_is_refused():
    with pytest.raises(ValueError, match="Choose a smaller `window` or `topk`"):
        RecordWindow(1, window=2**24, topk=2**5)
