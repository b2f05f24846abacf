import numpy as np

from keras_adasim.pretraining.images import open_sources


def test_one_image_more_changes_the_limited_set_by_one():
    """Images were drawn by their places: with another one in front of them all were others."""
    images = np.random.default_rng(0).integers(0, 256, (60, 2, 2, 3), np.uint8)
    sets = []
    for those in (images, images[1:], images[::-1]):
        train, _ = open_sources(those, None, channels=3, limit=20, seed=3)
        assert (np.diff(train.indices) > 0).all()  # In the order of the source.
        sets.append(set(train.keys))
        assert len(sets[-1]) == 20
    assert len(sets[0] - sets[1]) <= 1
    assert sets[0] == sets[2]
    other = set(open_sources(images, None, channels=3, limit=20, seed=4)[0].keys)
    assert len(sets[0] & other) < 15
