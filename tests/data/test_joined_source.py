import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.augment import MultiCrop
from keras_adasim.data import (
    ArrayFolder,
    ArraySource,
    ImageFolder,
    JoinedSource,
    PairDataset,
    Subset,
    load_in_memory,
)
from keras_adasim.pairing import SelfPairing
from tests.data.image_files import fill_folder, smooth_image, write

PIXELS = np.arange(5 * 12, dtype=np.uint8).reshape(5, 2, 2, 3)


def folders(root, *names):
    """Joined folders, in each a class of two PNG files per name."""
    sources = []
    for i, classes in enumerate(names):
        for name in classes.split():
            fill_folder(root / str(i) / name, [(8, 10)] * 2, suffix=".png")
        sources.append(ImageFolder(root / str(i)))
    return JoinedSource(sources)


def test_images_follow_one_another_in_python_and_in_a_graph(tmp_path):
    source = folders(tmp_path, "b", "a c", "a")
    assert len(source) == 8
    parts = [(part, i) for part in source.sources for i in range(len(part))]
    decoded = list(tf.data.Dataset.range(8).map(source.decode))
    for i, (part, place) in enumerate(parts):
        np.testing.assert_array_equal(source[i], part[place])
        np.testing.assert_array_equal(decoded[i], part[place])
        assert source.describe(i) == part.describe(place)
    assert source.describe(7) == str(tmp_path / "2" / "a" / "001.png")


def test_classes_are_matched_by_name(tmp_path):
    # By number, the second folder's "ant" would have been the first one's "bee".
    source = folders(tmp_path, "bee cow", "ant cow")
    assert source.class_names == ["ant", "bee", "cow"]
    np.testing.assert_array_equal(source.labels, [1, 1, 2, 2, 0, 0, 2, 2])
    subset = Subset(source, [7, 4])
    assert subset.class_names == load_in_memory(subset).class_names == source.class_names
    np.testing.assert_array_equal(load_in_memory(subset).labels, [2, 0])


def test_given_class_names_number_the_classes():
    source = ArraySource(PIXELS[:2], [1, 0], class_names=["cow", "ant"])
    joined = JoinedSource([source], ["ant", "bee", "cow"])
    np.testing.assert_array_equal(joined.labels, [0, 2])
    with pytest.raises(ValueError, match=r"`class_names` to hold every class.*'cow'"):
        JoinedSource([source], ["ant", "bee"])


def test_labels_without_names_stay():
    source = JoinedSource([ArraySource(PIXELS[:2], [3, 1]), ArraySource(PIXELS[2:], [1, 0, 3])])
    assert source.class_names is None
    np.testing.assert_array_equal(source.labels, [3, 1, 1, 0, 3])


def test_the_reason_of_missing_labels_is_told(tmp_path):
    named, plain = ArraySource(PIXELS, [0] * 5, ["cat"]), ArraySource(PIXELS, [0] * 5)
    mixed = JoinedSource([named, plain])
    assert mixed.labels is None
    with pytest.raises(ValueError, match="no name of the class of image 0 of the array"):
        mixed.checked_labels()
    fill_folder(tmp_path)
    with pytest.raises(ValueError, match=f"no sub-folder with images in {tmp_path}"):
        JoinedSource([named, ImageFolder(tmp_path)]).checked_labels()
    with pytest.raises(ValueError, match="no label of image 0 of the array"):
        JoinedSource([named, ArraySource(PIXELS)]).checked_labels()


def test_batches_are_gathered_from_arrays():
    source = JoinedSource(
        [ArraySource(PIXELS[:1]), ArraySource(PIXELS[1:4]), Subset(ArraySource(PIXELS), [4])]
    )
    assert (source.image_size, source.encoded) == ((2, 2), False)
    for batch in PairDataset(source, SelfPairing(), 3, drop_remainder=False):
        np.testing.assert_array_equal(batch["images"], PIXELS[batch["indices"].numpy()])
    (batch,) = PairDataset(source, SelfPairing(), 5)
    assert batch["images"].shape == (5, 2, 2, 3)
    np.testing.assert_array_equal(source.read(tf.constant([4, 0, 2], tf.int32)), PIXELS[[4, 0, 2]])


@pytest.mark.slow
def test_views_equal_those_of_one_folder(tmp_path):
    for part in ("a", "b"):
        fill_folder(tmp_path / part)
    crops = MultiCrop(8, local_size=4, num_local=1)
    whole = ImageFolder(tmp_path)
    joined = JoinedSource([ImageFolder(tmp_path / part) for part in ("a", "b")])
    assert joined.encoded
    passes = [PairDataset(source, SelfPairing(), 4, crops) for source in (whole, joined)]
    for batch, other in zip(*passes, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, batch, other)


def test_files_and_arrays_are_read_together(tmp_path):
    image = smooth_image(6, 7)
    write(tmp_path / "files" / "a.png", image)
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "b.npy", image[:4])
    source = JoinedSource([ImageFolder(tmp_path / "files"), ArrayFolder(tmp_path / "arrays")])
    assert (source.encoded, source.image_size) == (False, None)
    np.testing.assert_array_equal(source[0], image)
    (batch,) = PairDataset(source, SelfPairing(), 2, MultiCrop(4))
    assert batch["views"][0].shape == (2, 4, 4, 3)
    (tmp_path / "files" / "a.png").write_bytes(b"no image")
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=r"a\.png to be a sound"):
        source[0]


def test_a_damaged_file_is_named_in_a_graph(tmp_path):
    source = folders(tmp_path, "a", "b")
    (tmp_path / "1" / "b" / "001.png").write_bytes(b"no image")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"1/b/001\.png to be a sound"):
        list(PairDataset(source, SelfPairing(), 4, MultiCrop(8)))


def test_sources_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Expected `sources` to be a list of at least one"):
        JoinedSource([])
    with pytest.raises(ValueError, match=r"same channels. Received: 3 channels .*, 1 channels"):
        JoinedSource([ArraySource(PIXELS), ArraySource(PIXELS[..., :1])])
