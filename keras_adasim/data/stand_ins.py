"""Other images in the place of those that can't be read any more."""

import numpy as np


def readable(source, indices):
    """The indices of those images of a source that can be read, in their order."""
    if not hasattr(source, "unreadable"):  # One that is no `Source`, but has images by index.
        return indices
    return indices[~source.unreadable(indices)]


def stand_ins(source, indices, seed):
    """Puts other images in the place of those of a batch that can't be read.

    An image stands in with its own index, so that all that is kept of it stays its own. Who stands
    in follows from the seed, the index and which images are bad. No image is twice in the batch
    afterwards, but where the batch holds all that can be read.

    Args:
        source: `Source`.
        indices: (B,) integers, a batch.
        seed: Integer, another one in every epoch.

    Returns:
        (B,) int64 array.

    Raises:
        ValueError: If no image of the source can be read.
    """
    indices = np.array(indices, np.int64)
    for place in np.flatnonzero(source.unreadable(indices)):
        order = np.random.default_rng([seed % 2**64, indices[place]]).permutation(len(source))
        taken = np.isin(order, indices)
        for index in (*order[~taken], *order[taken]):
            if not source.unreadable([index])[0]:
                indices[place] = index
                break
        else:
            raise ValueError(
                "Expected images that can be read. Received: "
                f"{len(source)} that can't, among them {source.describe(int(indices[place]))}"
            )
    return indices
