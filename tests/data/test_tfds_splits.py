import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_adasim.data import Subset, TfdsSource, load_in_memory, tfds_splits

LABELED, SECRET = (0, 1, 1), (-1, -1, -1)


def prepare(folder, label=None, **splits):
    """A data set of tiny images with the given labels, one tuple for each split."""
    features = {"image": tfds.features.Image(shape=(4, 4, 3))}
    if label != "none":
        features["label"] = label or tfds.features.ClassLabel(names=["cat", "dog"])
    tfds.disable_progress_bar()
    tfds.dataset_builders.store_as_tfds_dataset(
        "tiny",
        "1.0.0",
        tfds.features.FeaturesDict(features),
        {name: _records(labels, "label" in features) for name, labels in splits.items()},
        data_dir=folder,
        file_format="array_record",
    )


def _records(labels, with_labels):
    images = [np.full((4, 4, 3), label in (1, "b"), np.uint8) for label in labels]
    if not with_labels:
        return [(i, {"image": image}) for i, image in enumerate(images)]
    pairs = zip(images, labels, strict=True)
    return [(i, {"image": image, "label": label}) for i, (image, label) in enumerate(pairs)]


@pytest.fixture
def reads(monkeypatch):
    """Numbers of the labels that were read, one for each time."""
    counts, read = [], TfdsSource._read_labels

    def counted(self, indices):
        counts.append(len(indices))
        return read(self, indices)

    monkeypatch.setattr(TfdsSource, "_read_labels", counted)
    return counts


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ({"test": LABELED, "validation": LABELED}, "test"),
        # ImageNet's.
        ({"test": SECRET, "validation": LABELED}, "validation"),
        ({"validation": LABELED}, "validation"),
        ({"test": SECRET}, None),
        ({"test": SECRET, "validation": SECRET}, None),
        ({"extra": LABELED}, None),
    ],
)
def test_the_test_split_is_one_with_labels(tmp_path, splits, expected):
    # "test" was taken or missed, whatever there was.
    prepare(tmp_path, train=LABELED, **splits)
    train, test = tfds_splits("tiny", tmp_path)
    assert train.split == "train"
    assert (test and test.split) == expected
    if test is None:
        found = ", ".join(sorted(["train", *splits]))
        with pytest.raises(ValueError, match=f"called test or validation.*`test_split`.*{found}"):
            tfds_splits("tiny", tmp_path, require_test=True)


def test_a_data_set_without_labels_has_no_test_split(tmp_path):
    prepare(tmp_path, label="none", train=LABELED, test=LABELED)
    train, test = tfds_splits("tiny", tmp_path)
    assert (train.labels, train.class_names, test) == (None, None, None)
    with pytest.raises(ValueError, match='no "label" of 0 or more for every image of tiny, split'):
        tfds_splits("tiny", tmp_path, require_labels=True)


def test_labels_that_are_no_class_are_none(tmp_path):
    prepare(tmp_path, train=(0, -1, 1), test=LABELED)
    train, test = tfds_splits("tiny", tmp_path)
    assert train.labels is None
    assert test.class_names == ["cat", "dog"]
    prepare(tmp_path / "text", tfds.features.Text(), train=("a", "b"))
    assert TfdsSource("tiny", "train", tmp_path / "text").labels is None
    prepare(tmp_path / "numbers", tfds.features.Scalar(np.int32), train=LABELED)
    numbers = TfdsSource("tiny", "train", tmp_path / "numbers")
    assert (sorted(numbers.labels), numbers.class_names) == ([0, 1, 1], None)


def test_labels_are_read_once_and_only_if_asked_for(tmp_path, reads):
    # A subset read all labels when it was made.
    prepare(tmp_path, train=LABELED, test=LABELED)
    train, test = tfds_splits("tiny", tmp_path)
    assert reads == [1]
    subset = Subset(train, [2, 0])
    decoded = load_in_memory(subset)
    assert reads == [1]
    for source in (decoded, subset, subset, train):
        np.testing.assert_array_equal(source.labels, [image.max() for image in source])
        assert source.class_names == ["cat", "dog"]
    assert reads == [1, 3]
    assert test.labels.max() == 1


def test_splits_can_be_named(tmp_path):
    prepare(tmp_path, train=LABELED, extra=LABELED)
    train, test = tfds_splits("tiny", tmp_path, "train[:2]", "extra", require_test=True)
    assert (len(train), len(test)) == (2, 3)
    with pytest.raises(ValueError, match=r"`split` to be one of extra, train of tiny.*'hold'"):
        tfds_splits("tiny", tmp_path, test_split="hold")


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    prepare(tmp_path / "sets", train=LABELED)
    train, test = tfds_splits("tiny", "~/sets")
    assert (len(train), test) == (3, None)
