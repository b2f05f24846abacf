import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment import MultiCrop
from keras_adasim.data import ArraySource, ImageFolder, PairDataset
from keras_adasim.pairing import SelfPairing
from tests.data.image_files import fill_folder

NUM_IMAGES = 10


class NextImage:
    """Pairs an image with the one `step` places on."""

    num_images = NUM_IMAGES

    def __init__(self):
        self.step = 1

    def partners(self, indices):
        return ((indices + self.step) % NUM_IMAGES).astype(np.int32)


def numbered_source(num_images=NUM_IMAGES):
    """Images whose every pixel is their index."""
    pixels = np.arange(num_images, dtype=np.uint8)[:, None, None, None]
    return ArraySource(np.tile(pixels, (1, 4, 4, 3)))


def indices_of(passes):
    return [batch["indices"].numpy() for batch in passes]


def files(folder, crops=None, batch_size=2, **arguments):
    fill_folder(folder)
    return PairDataset(ImageFolder(folder), SelfPairing(), batch_size, crops, **arguments)


def test_whole_images_come_with_their_partners():
    dataset = PairDataset(numbered_source(), NextImage(), batch_size=4)
    batches = list(dataset)
    assert len(batches) == len(dataset) == 2
    for batch in batches:
        assert sorted(batch) == ["images", "indices", "partners"]
        assert batch["indices"].dtype == tf.int64
        assert batch["images"].dtype == tf.uint8
        assert batch["images"].shape == batch["partners"].shape == (4, 4, 4, 3)
        np.testing.assert_array_equal(batch["images"][:, 0, 0, 0], batch["indices"])
        partners = (batch["indices"].numpy() + 1) % NUM_IMAGES
        np.testing.assert_array_equal(batch["partners"][:, 0, 0, 0], partners)


@pytest.mark.parametrize("num_local", [0, 3])
def test_crops_come_as_views(tmp_path, num_local):
    dataset = files(tmp_path, MultiCrop(12, local_size=6, num_local=num_local))
    for batch in dataset:
        assert sorted(batch) == ["indices", "views"]
        shapes = [tuple(view.shape) for view in batch["views"]]
        assert shapes == [(2, 12, 12, 3)] * 2 + [(2, 6, 6, 3)] * num_local
        assert all(view.dtype == tf.uint8 for view in batch["views"])


def test_every_epoch_visits_every_image_in_an_order_of_its_own():
    dataset = PairDataset(numbered_source(), NextImage(), 5, seed=1)
    epochs = [np.concatenate(indices_of(dataset)) for _ in range(3)]
    for epoch, order in enumerate(epochs):
        np.testing.assert_array_equal(np.sort(order), np.arange(NUM_IMAGES))
        np.testing.assert_array_equal(order, dataset.order(epoch))
    assert len({tuple(order) for order in epochs}) == 3
    other = PairDataset(numbered_source(), NextImage(), 5, seed=2)
    assert np.any(np.concatenate(indices_of(other)) != epochs[0])


@pytest.mark.slow
def test_set_epoch_makes_a_resumed_run_see_the_same_order_and_crops(tmp_path):
    crops = MultiCrop(8, (0.1, 0.6), num_local=1, local_size=4)
    dataset = files(tmp_path, crops, shuffle=True)
    epochs = [list(dataset) for _ in range(3)]
    resumed = PairDataset(dataset.source, SelfPairing(), 2, crops)
    resumed.set_epoch(1)
    for expected in epochs[1:]:
        for batch, other in zip(resumed, expected, strict=True):
            np.testing.assert_array_equal(batch["indices"], other["indices"])
            for view, same in zip(batch["views"], other["views"], strict=True):
                np.testing.assert_array_equal(view, same)


def test_an_image_gets_another_crop_in_another_epoch(tmp_path):
    dataset = files(tmp_path, MultiCrop(8, (0.1, 0.6)), batch_size=4, shuffle=False)
    first, second = next(iter(dataset)), next(iter(dataset))
    np.testing.assert_array_equal(first["indices"], second["indices"])
    for own, other in zip(first["views"][0], second["views"][0], strict=True):
        assert np.any(own != other)


def test_the_data_set_iterated_again_is_the_next_epoch_and_heeds_set_epoch():
    dataset = PairDataset(numbered_source(), NextImage(), 5)
    batches = dataset.as_tf_dataset()
    for epoch in range(2):
        np.testing.assert_array_equal(np.concatenate(indices_of(batches)), dataset.order(epoch))
    dataset.set_epoch(7)
    np.testing.assert_array_equal(np.concatenate(indices_of(batches)), dataset.order(7))


def test_partners_are_fresh_in_every_epoch():
    # A table captured as a constant, or `repeat`, would serve the first epoch's forever.
    pairing = NextImage()
    batches = PairDataset(numbered_source(), pairing, 5).as_tf_dataset()
    for step in (1, 3):
        pairing.step = step
        for batch in batches:
            expected = (batch["indices"].numpy() + step) % NUM_IMAGES
            np.testing.assert_array_equal(batch["partners"][:, 0, 0, 0], expected)


def test_without_shuffling_images_come_in_order():
    dataset = PairDataset(numbered_source(), NextImage(), 5, shuffle=False)
    np.testing.assert_array_equal(np.concatenate(indices_of(dataset)), np.arange(NUM_IMAGES))


@pytest.mark.parametrize(("drop", "sizes"), [(True, [4, 4]), (False, [4, 4, 2])])
def test_the_incomplete_batch_is_left_out_or_kept(drop, sizes):
    dataset = PairDataset(numbered_source(), NextImage(), 4, drop_remainder=drop)
    assert len(dataset) == len(sizes)
    assert [len(indices) for indices in indices_of(dataset)] == sizes
    assert int(dataset.as_tf_dataset().cardinality()) == len(sizes)


@pytest.mark.slow
def test_shards_make_up_the_batch(tmp_path):
    crops = MultiCrop(8)
    dataset = files(tmp_path, crops, batch_size=4)
    whole = list(dataset)
    shards = []
    for shard in range(2):
        dataset.set_epoch(0)
        shards.append(list(dataset.as_tf_dataset(num_shards=2, shard=shard)))
    for batch, parts in zip(whole, zip(*shards, strict=True), strict=True):
        for i, view in enumerate(batch["views"]):
            np.testing.assert_array_equal(tf.concat([p["views"][i] for p in parts], 0), view)


def test_a_strategy_gives_each_replica_its_rows(two_replicas):
    dataset = PairDataset(numbered_source(), NextImage(), 4)
    distributed = two_replicas.experimental_distribute_dataset(dataset.as_tf_dataset())
    for epoch in range(2):
        order = dataset.order(epoch)[:8].reshape(2, 2, 2)
        for batch, rows in zip(distributed, order, strict=True):
            parts = two_replicas.experimental_local_results(batch["indices"])
            np.testing.assert_array_equal([part.numpy() for part in parts], rows)


class SumOfIndices(keras.Model):
    """Keeps the indices of every batch."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.built = True

    def train_step(self, batch):
        tf.numpy_function(lambda indices: self.seen.append(indices), [batch["indices"]], [])
        return {"size": tf.shape(batch["indices"])[0]}


def test_fit_runs_through_the_epochs():
    dataset = PairDataset(numbered_source(), NextImage(), 5)
    model = SumOfIndices()
    model.compile()
    model.fit(dataset.as_tf_dataset(), epochs=2, shuffle=False, verbose=0)
    expected = np.concatenate([dataset.order(0), dataset.order(1)])
    np.testing.assert_array_equal(np.concatenate(model.seen), expected)


def test_a_damaged_file_is_named_while_training(tmp_path):
    dataset = files(tmp_path, MultiCrop(8))
    (tmp_path / "002.jpg").write_bytes(b"no image")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"002\.jpg to be a sound image"):
        list(dataset)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"batch_size": 11}, "`batch_size` to be at most the number of images, 10.*smaller"),
        *(
            ({"batch_size": wrong}, f"`batch_size` to be a positive integer.*batch_size={wrong!r}")
            for wrong in (0, 2.0, None, "3", True, float("nan"))
        ),
        *(
            ({"seed": wrong}, f"`seed` to be a non-negative integer.*seed={wrong!r}")
            for wrong in (-1, 2.0, None, "3", True, float("nan"))
        ),
        ({"crops": 8}, "`crops` to be a `MultiCrop`"),
        ({"source": numbered_source(9)}, r"`pairing.num_images`.*9.*num_images=10"),
        ({"interpolation": "area"}, "`interpolation` to be one of"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, match):
    defaults = {"source": numbered_source(), "pairing": NextImage(), "batch_size": 5}
    with pytest.raises(ValueError, match=f"Expected {match}"):
        PairDataset(**{**defaults, **arguments})


def test_images_of_different_sizes_without_crops_are_an_error_with_the_fix(tmp_path):
    with pytest.raises(ValueError, match=r"`crops=augment.MultiCrop.*load_in_memory\(source\)"):
        files(tmp_path)


def test_bad_epochs_and_shards_are_named():
    dataset = PairDataset(numbered_source(), NextImage(), 5)
    for epoch in (-1, 1.0, None, "1", True):
        with pytest.raises(ValueError, match="Expected `epoch` to be a non-negative integer"):
            dataset.set_epoch(epoch)
    for shards in ((0, 0), (2.0, 0), (2, 0.0), (None, 0), (2, -1)):
        with pytest.raises(ValueError, match=r"Expected `(num_shards|shard)` to be a"):
            dataset.as_tf_dataset(*shards)
    with pytest.raises(ValueError, match="Expected `shard`"):
        dataset.as_tf_dataset(2, 2)
    with pytest.raises(ValueError, match="Expected batches that `num_shards` pipelines"):
        dataset.as_tf_dataset(2, 0)
