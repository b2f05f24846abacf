"""Folders as people have them: which images train, which test, and what their classes are."""

import shutil

import numpy as np
import pytest

from keras_adasim.data import ArrayFolder, ImageFolder, JoinedSource, open_splits
from keras_adasim.evaluation.knn import knn_accuracy
from tests.data.image_files import fill_folder, write

COLORS = {"ant": (250, 10, 10), "bee": (10, 250, 10), "cow": (10, 10, 250)}


def fill(root, *folders, count=4):
    """Writes images of one color per class, so that one neighbor is always right."""
    for folder in folders:
        for i in range(count):
            write(root / folder / f"{i}.png", np.full((8, 8, 3), COLORS[folder[-3:]], np.uint8))


def top1(train, test):
    features = [
        np.stack([source[i].ravel() for i in range(len(source))]) for source in (train, test)
    ]
    vectors = [array.astype(np.float32) for array in features]
    return knn_accuracy(vectors[0], train.labels, vectors[1], test.labels, k=1)[0]


@pytest.fixture
def root(tmp_path):
    fill(tmp_path, *(f"{split}/{name}" for split in ("train", "test") for name in COLORS))
    return tmp_path


def test_training_and_test_images_of_a_folder(root):
    train, test = open_splits(str(root))
    assert train.class_names == test.class_names == ["ant", "bee", "cow"]
    assert (len(train), len(test), top1(train, test)) == (12, 12, 1.0)
    assert open_splits([root], channels=1)[0][0].shape == (8, 8, 1)
    train, test = open_splits(root / "train", require_labels=True)
    assert (train.class_names, test) == (["ant", "bee", "cow"], None)
    with pytest.raises(FileNotFoundError, match=r"folder test or val.*ant, bee, cow.*`test_split`"):
        open_splits(root / "train", require_test=True)


@pytest.mark.parametrize("missing", list(COLORS))
def test_a_class_that_test_lacks_does_not_shift_the_others(root, missing):
    # Classes were matched by number: without "ant" the accuracy was 0.
    shutil.rmtree(root / "test" / missing)
    train, test = open_splits(root)
    assert test.class_names == ["ant", "bee", "cow"]
    assert (len(test), top1(train, test)) == (8, 1.0)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("content", [(), ("notes.txt",), (".hidden.png",)])
def test_a_folder_without_images_is_no_class(root, split, content, caplog):
    # It took a number, in one of the two folders only.
    (root / split / "aaa").mkdir()
    for name in content:
        (root / split / "aaa" / name).write_text("no image")
    train, test = open_splits(root)
    assert train.class_names == test.class_names == ["ant", "bee", "cow"]
    assert top1(train, test) == 1.0
    assert f"Sub-folders of {root / split} without images, which are no classes: aaa" in caplog.text


@pytest.mark.parametrize("in_train", ["nothing", "an empty folder"])
def test_a_class_that_training_lacks_is_named(root, in_train):
    shutil.rmtree(root / "train" / "bee")
    if in_train != "nothing":
        (root / "train" / "bee").mkdir()
    with pytest.raises(ValueError, match=rf"Received: bee in {root}/test, 1 that the training"):
        open_splits(root)


def test_classes_that_are_called_otherwise_are_named(root):
    (root / "test" / "cow").rename(root / "test" / "Cow")
    with pytest.raises(ValueError, match="Received: Cow in"):
        open_splits(root)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_stray_picture_is_named_where_labels_are_wanted(root, split, caplog):
    # The labels vanished, and with them the evaluation.
    write(root / split / "preview.png", np.zeros((8, 8, 3), np.uint8))
    sources = open_splits(root)
    reason = f"preview.png beside the sub-folders of {root / split}"
    assert [source.labels is None for source in sources] == [split == "train", split == "test"]
    assert reason in caplog.text
    with pytest.raises(ValueError, match=f"images with labels.*{reason}"):
        open_splits(root, require_labels=True)


def test_a_picture_beside_the_splits_is_passed_over(root):
    write(root / "preview.png", np.zeros((8, 8, 3), np.uint8))
    train, test = open_splits(root, require_labels=True)
    assert top1(train, test) == 1.0


def test_flat_folders_train_without_labels(tmp_path):
    for split in ("train", "val"):
        fill_folder(tmp_path / split)
    train, test = open_splits(tmp_path)
    assert (train.labels, test.labels, len(train), len(test)) == (None, None, 4, 4)
    with pytest.raises(ValueError, match=f"no sub-folder with images in {tmp_path}/train"):
        open_splits(tmp_path, require_labels=True)


def test_parts_of_several_folders_are_joined_in_the_order_given(root, tmp_path_factory):
    other, flat = tmp_path_factory.mktemp("other"), tmp_path_factory.mktemp("flat")
    fill(other, "Training/cow", "Training/bee", "VAL/bee", count=1)
    fill_folder(flat)
    train, test = open_splits([other, root])
    assert train.class_names == test.class_names == ["ant", "bee", "cow"]
    np.testing.assert_array_equal(train.labels, [1, 2] + [0] * 4 + [1] * 4 + [2] * 4)
    np.testing.assert_array_equal(test.labels, [1] + [0] * 4 + [1] * 4 + [2] * 4)
    assert train.describe(0) == str(other / "Training" / "bee" / "0.png")
    assert top1(train, test) == 1.0
    train, test = open_splits([flat, root])
    assert (len(train), len(test), train.labels) == (16, 12, None)
    # Its classes are numbered as one folder's would be.
    assert top1(*open_splits([root / "train", other])) == 1.0


def test_a_folder_that_comes_twice_is_refused(root):
    for folders in ([root, str(root)], [root, root / "train" / "ant"]):
        with pytest.raises(ValueError, match=r"images would come twice. Received: .* twice"):
            open_splits(folders)
    with pytest.raises(ValueError, match=r"Expected `data_dir` .*Received: \[\]"):
        open_splits([])


def test_other_splits_can_be_named(root):
    train, test = open_splits(root, test_split="train")
    assert (len(train), len(test), train.describe(0)) == (12, 12, test.describe(0))
    train, test = open_splits(root, train_split="test")
    assert (train.describe(0), test) == (str(root / "test" / "ant" / "0.png"), None)
    with pytest.raises(FileNotFoundError, match=r"folder holdout.*test, train.*`test_split`"):
        open_splits(root, test_split="holdout")


def test_a_folder_of_arrays_has_splits_too(tmp_path):
    for name in ("train/field", "train/water", "test/water"):
        (tmp_path / name).mkdir(parents=True)
        np.save(tmp_path / name / "0.npy", np.zeros((4, 4, 13), np.uint8))
    train, test = open_splits(tmp_path, 13)
    assert (type(train), type(test)) == (ArrayFolder, JoinedSource)
    np.testing.assert_array_equal(test.labels, [1])
    with pytest.raises(ValueError, match="`channels` to be 13"):
        open_splits(tmp_path)


def test_one_folder_with_the_same_classes_is_left_as_it_is(root):
    assert [type(source) for source in open_splits(root)] == [ImageFolder, ImageFolder]


def test_tilde_is_the_home_folder(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    train, _ = open_splits([f"~/{root.name}"])
    assert train.path == root / "train"
    with pytest.raises(FileNotFoundError, match="have a folder eval"):
        open_splits(f"~/{root.name}", test_split="eval")
