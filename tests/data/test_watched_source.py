"""Files that vanish or go bad while they are used, and what stands in for them."""

import numpy as np
import pytest

from keras_adasim import augment, data, pairing
from keras_adasim.data.stand_ins import readable, stand_ins
from tests.data.image_files import write

NUM_IMAGES, CROPS = 12, augment.MultiCrop(8, (0.9, 1.0))


class NextImage:
    def partners(self, indices):
        return (indices + 1) % NUM_IMAGES


@pytest.fixture
def source(tmp_path):
    """Images whose pixels tell their index: twenty times as bright."""
    for i in range(NUM_IMAGES):
        write(tmp_path / f"{i:02d}.jpg", np.full((10, 10, 3), 20 * i, np.uint8))
    return data.WatchedSource(data.ImageFolder(tmp_path), np.arange(NUM_IMAGES))


def path_of(source, index):
    return source.source.path / source.source.paths[index]


def shown(views):
    """The indices of the images that views were cut from."""
    return np.round(np.mean(views, (1, 2, 3)) / 20).astype(int)


def damage(path):
    contents = path.read_bytes()
    path.write_bytes(contents[:-60] + contents[-2:])


def test_what_has_changed_is_looked_at_again(source):
    assert not source.unreadable(np.arange(NUM_IMAGES)).any()
    path_of(source, 3).unlink()
    damage(path_of(source, 5))
    write(path_of(source, 7), np.full((10, 10, 3), 9, np.uint8))  # Another image, and sound.
    assert list(np.flatnonzero(source.unreadable(np.arange(NUM_IMAGES)))) == [3, 5]
    assert source.bad[3] == "No such file or directory"
    assert source.bad[5]
    assert list(readable(source, np.array([5, 7, 3, 1]))) == [7, 1]
    assert list(data.Subset(source, [5, 7]).unreadable([0, 1])) == [True, False]
    joined = data.JoinedSource([source, source])
    assert list(joined.unreadable([15, 16, 5])) == [True, False, True]
    np.testing.assert_array_equal(joined.fingerprints([13, 0]), source.fingerprints([1, 0]))


def test_what_is_known_to_be_bad_is_not_read(source):
    again = data.WatchedSource(source.source, np.arange(NUM_IMAGES), bad={4: "was damaged"})
    assert list(np.flatnonzero(again.unreadable(np.arange(NUM_IMAGES)))) == [4]


def test_images_that_fail_without_having_changed_are_found(source):
    damage(path_of(source, 2))
    path_of(source, 3).write_bytes(b"no image")
    late = data.WatchedSource(source.source, np.arange(NUM_IMAGES))
    assert not late.unreadable(np.arange(NUM_IMAGES)).any()
    assert late.find_bad([1, 3, 3]) == [3]
    assert late.find_bad([3]) == []
    path_of(source, 4).unlink()
    assert late.find_bad([4]) == [4]
    assert "03.jpg" in late.bad[3]


def test_stand_ins_are_others_once_and_the_same_again(source):
    path_of(source, 0).unlink()
    path_of(source, 1).unlink()
    batch = np.arange(8)
    drawn = {seed: stand_ins(source, batch, seed) for seed in range(20)}
    for seed, indices in drawn.items():
        assert len(set(indices)) == 8
        np.testing.assert_array_equal(indices[2:], batch[2:])
        assert set(indices[:2]) <= {8, 9, 10, 11}
        np.testing.assert_array_equal(stand_ins(source, batch, seed), indices)
    assert len({tuple(indices) for indices in drawn.values()}) > 5
    everything = stand_ins(source, np.arange(NUM_IMAGES), 0)
    assert not source.unreadable(everything).any()


def test_without_any_image_there_is_an_error(source):
    for index in range(NUM_IMAGES):
        path_of(source, index).unlink()
    with pytest.raises(ValueError, match=r"Expected images that can be read.*12 that can't.*jpg"):
        stand_ins(source, np.arange(4), 0)


@pytest.mark.slow
def test_a_batch_holds_the_stand_in_with_its_own_index(source):
    """The row of an image that is gone would have become another's."""
    pairs = data.PairDataset(source, NextImage(), 4, CROPS)
    list(pairs)
    path_of(source, 3).unlink()
    damage(path_of(source, 6))
    epochs = [list(pairs) for _ in range(3)]
    for batch in [batch for epoch in epochs for batch in epoch]:
        indices = batch["indices"].numpy()
        assert len(set(indices)) == 4
        assert not {3, 6} & set(indices)
        np.testing.assert_array_equal(shown(batch["views"][0]), indices)
        partners = np.where(np.isin(indices + 1, [3, 6]), indices, (indices + 1) % NUM_IMAGES)
        np.testing.assert_array_equal(shown(batch["views"][1]), partners)
    bad = {index: "gone" for index in (3, 6)}
    resumed = data.WatchedSource(source.source, np.arange(NUM_IMAGES), bad=bad)
    resumed = data.PairDataset(resumed, NextImage(), 4, CROPS)
    resumed.set_epoch(1)
    for batch, expected in zip([*resumed, *resumed], epochs[0] + epochs[1], strict=True):
        np.testing.assert_array_equal(batch["indices"], expected["indices"])
        np.testing.assert_array_equal(batch["views"][0], expected["views"][0])


@pytest.mark.slow
def test_shards_agree_on_who_stands_in(source):
    pairs = data.PairDataset(source, pairing.SelfPairing(), 4, CROPS)
    path_of(source, 3).unlink()
    whole = np.concatenate([batch["indices"] for batch in pairs])
    shards = []
    for shard in range(2):
        pairs.set_epoch(0)
        shards.append([b["indices"].numpy() for b in pairs.as_tf_dataset(2, shard)])
    np.testing.assert_array_equal(np.concatenate(shards, axis=1).reshape(-1), whole)
