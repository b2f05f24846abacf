"""The bank against one in NumPy, for any number of images and any order of visits."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_adasim import layers


class SlowBank:
    """The bank as its definition reads: all rows, one sort."""

    def __init__(self, num_images, feature_dim, topk):
        self.features = np.zeros((num_images, feature_dim), np.float32)
        self.ids = np.zeros((num_images, topk), int)
        self.similarities = np.zeros((num_images, topk), np.float32)
        self.topk = topk

    def __call__(self, indices, features):
        features = features / np.linalg.norm(features, axis=1, keepdims=True)
        cosines = features @ self.features.T
        ids = np.argsort(-cosines, axis=1, kind="stable")[:, : self.topk]
        similarities = np.take_along_axis(cosines, ids, axis=1)
        self.features[indices], self.ids[indices] = features, ids
        self.similarities[indices] = similarities
        return ids, similarities


@settings(max_examples=15)
@given(st.integers(1, 20), st.integers(1, 6), st.integers(1, 8), st.data())
def test_the_bank_is_one_sort_of_all_rows(num_images, chunk_size, steps, data):
    topk = data.draw(st.integers(1, num_images))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    bank = layers.NeighborBank(num_images, 4, topk, chunk_size=chunk_size)
    slow = SlowBank(num_images, 4, topk)
    for _ in range(steps):
        indices = rng.permutation(num_images)[: rng.integers(1, num_images + 1)]
        # Signs alone: cosines are halves, exact in both, so that ties are ties.
        features = rng.choice(np.float32([-3, 3]), (len(indices), 4))
        ids, similarities = bank(indices, features)
        expected = slow(indices, features)
        np.testing.assert_array_equal(ids, expected[0])
        np.testing.assert_allclose(similarities, expected[1], atol=1e-6)
    np.testing.assert_allclose(bank.features, slow.features, atol=1e-6)
    for found, expected in zip(bank.records(), (slow.ids, slow.similarities), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
