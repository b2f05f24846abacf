"""What holds of every order of the images, however many there are and whatever the seed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_adasim import data, pairing

seeds, epochs = st.integers(0, 2**32 - 2), st.integers(0, 10**6)


def dataset(num_images, **arguments):
    source = data.ArraySource(np.zeros((num_images, 1, 1, 1), np.uint8))
    return data.PairDataset(source, pairing.SelfPairing(), **arguments)


@given(st.integers(1, 500), seeds, epochs)
def test_an_order_is_a_permutation_and_pure(num_images, seed, epoch):
    order = dataset(num_images, batch_size=1, seed=seed).order(epoch)
    np.testing.assert_array_equal(np.sort(order), np.arange(num_images))
    again = dataset(num_images, batch_size=1, seed=seed)
    again.order(epoch + 1)
    np.testing.assert_array_equal(again.order(epoch), order)
    if num_images > 50:
        others = (
            again.order(epoch + 1),
            dataset(num_images, batch_size=1, seed=seed + 1).order(epoch),
        )
        assert all((other != order).any() for other in others)


@settings(max_examples=3)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 20), seeds, epochs)
def test_shards_are_the_parts_of_a_batch(num_shards, rows, rest, seed, epoch):
    batch_size = num_shards * rows
    pairs = dataset(batch_size * 2 + rest, batch_size=batch_size, seed=seed)

    def indices(*shard):
        pairs.set_epoch(epoch)
        return [b["indices"] for b in pairs.as_tf_dataset(*shard).as_numpy_iterator()]

    shards = [indices(num_shards, shard) for shard in range(num_shards)]
    together = [np.concatenate(parts) for parts in zip(*shards, strict=True)]
    np.testing.assert_array_equal(together, indices())
    order = pairs.order(epoch)[: len(pairs) * batch_size]
    np.testing.assert_array_equal(np.concatenate(together), order)
