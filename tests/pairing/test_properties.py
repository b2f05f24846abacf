"""What holds of every window and every vote, not only of those that somebody thought of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_adasim import pairing
from keras_adasim.pairing.record_window import RecordWindow, _fraction_bits
from tests.pairing.slow_vote import slow_distribution


@st.composite
def runs(draw):
    """The pushes of a run: N, W and k, and the records of some epochs, with ties and repeats."""
    num_images, window = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    topk, epochs = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (epochs, num_images, topk)
    ids = rng.integers(0, num_images, shape)
    own = rng.random((epochs, num_images)) < draw(st.floats(0, 1))
    ids[..., 0] = np.where(own, np.arange(num_images), ids[..., 0])
    # Eighths are exact in the window, so that ties are ties in both.
    similarities = rng.integers(-8, 9, shape) / 8
    return num_images, window, topk, ids, similarities


@given(runs(), st.sampled_from([0, 0.01, 0.3, 5.0]))
def test_the_vote_is_that_of_a_dictionary(run, temperature):
    num_images, window, topk, ids, similarities = run
    fast = pairing.AdaptiveWindow(num_images, window, topk, temperature)
    for epoch in zip(ids, similarities, strict=True):
        fast.push(*epoch)
    found = fast.distribution(np.arange(num_images))
    partners = fast.partners(np.arange(num_images))
    for i, (names, probabilities, is_open) in enumerate(zip(*found, strict=True)):
        last = ids[-window:, i], similarities[-window:, i]
        expected = slow_distribution(*last, i, topk, window, temperature)
        assert names.tolist() == expected[0]
        np.testing.assert_allclose(probabilities, expected[1], atol=1e-6)
        assert is_open == expected[2]
        assert abs(probabilities.sum() - 1) < 1e-9
        assert partners[i] in names[probabilities > 0]
        assert is_open or partners[i] == i


@given(st.data())
def test_packed_records_are_unpacked(data):
    """Of any number of images, window and top k that a record has room for."""
    num_images = data.draw(st.integers(1, 2000))
    window, topk = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 20))
    records = RecordWindow(num_images, window, topk)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    ids = rng.integers(0, num_images, (num_images, topk))
    similarities = rng.uniform(-1, 1, (num_images, topk))
    similarities.flat[:2] = [-1, 1][: similarities.size]
    slot = data.draw(st.integers(0, window - 1))
    records.write(slot, ids, similarities)
    images = rng.permutation(num_images)[:10]
    found = records.unpack(records.read(images, [slot]))
    np.testing.assert_array_equal(found[0][:, 0], ids[images])
    np.testing.assert_allclose(found[1][:, 0], similarities[images], atol=1 / records.scale)


@given(st.integers(1, 2**33), st.integers(1, 2**20), st.integers(1, 2**12))
def test_the_narrowest_similarities_have_16_bits(num_images, window, topk):
    """What doesn't fit is refused; what does, fits into a record."""
    id_bits = (num_images - 1).bit_length()
    if id_bits + 16 > 48:
        with pytest.raises(ValueError, match=f"num_images={num_images}, window={window}"):
            _fraction_bits(num_images, window, topk)
    elif window * topk < 2**20:
        assert 16 <= _fraction_bits(num_images, window, topk) <= 48 - id_bits
