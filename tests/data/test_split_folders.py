import re

import pytest

from keras_adasim.data.split_folders import split_folders
from tests.data.image_files import smooth_image, write


def make(root, *folders):
    """Makes folders; those that end in an asterisk hold an image."""
    for folder in folders:
        (root / folder.rstrip("*")).mkdir(parents=True, exist_ok=True)
        if folder.endswith("*"):
            write(root / folder.rstrip("*") / "a.png", smooth_image(4, 4))


def found(root, **arguments):
    """Names of the training and the test folder, `.` for the folder itself."""
    splits = split_folders(root, **arguments)
    return [split and str(split.relative_to(root)) for split in splits]


@pytest.mark.parametrize(
    ("folders", "train", "test"),
    [
        ("train test", "train", "test"),
        ("train val", "train", "val"),
        ("train valid", "train", "valid"),
        ("train validation test", "train", "test"),
        ("training testing", "training", "testing"),
        ("training validation", "training", "validation"),
        ("Train TEST", "Train", "TEST"),
        ("TRAIN Val meta", "TRAIN", "Val"),
        ("train/cat* meta*", "train", None),
        ("train* notes", "train", None),
        ("cat dog", ".", None),
        ("", ".", None),
        # A hidden test set has no classes; ImageNet's is a folder of images.
        ("train test* val/cat*", "train", "val"),
        ("train test* val*", "train", "test"),
        # Classes of which one is called as a split is.
        ("exam test", ".", None),
    ],
)
def test_splits_are_found(tmp_path, folders, train, test):
    make(tmp_path, *folders.split())
    assert found(tmp_path) == [train, test]


@pytest.mark.parametrize("folders", ["test*", "test/cat*", "val test"])
def test_test_images_alone_are_no_training_set(tmp_path, folders):
    # The training set was the folder itself: the test images, their folder being the one class.
    make(tmp_path, *folders.split())
    with pytest.raises(FileNotFoundError, match=r"folder train beside test.*`train_split='.'`"):
        split_folders(tmp_path)
    assert found(tmp_path, train_split=".") == [".", None]


def test_a_class_called_train_is_not_taken_for_the_training_set(tmp_path):
    # Buses and cars were left out in silence.
    make(tmp_path, "bus*", "car*", "train*")
    match = (
        r"`train_split='train'` takes that folder alone.*Received a folder with: bus, car, train"
    )
    with pytest.raises(ValueError, match=match):
        split_folders(tmp_path)
    assert found(tmp_path, train_split="train") == ["train", None]
    assert found(tmp_path, train_split=".") == [".", None]


def test_splits_of_one_kind_have_to_be_told_apart(tmp_path):
    make(tmp_path, "train", "training", "val", "valid")
    with pytest.raises(ValueError, match=r"by `train_split`. Received: train, training"):
        split_folders(tmp_path)
    with pytest.raises(ValueError, match=r"by `test_split`. Received: val, valid"):
        split_folders(tmp_path, "train")
    assert found(tmp_path, train_split="training", test_split="valid") == ["training", "valid"]


def test_classes_called_as_test_splits_are_told(tmp_path, caplog):
    make(tmp_path, "exam", "test")
    split_folders(tmp_path)
    assert f"No folder train in {tmp_path}: all of its folders are taken for classes, test too" in (
        caplog.text
    )


def test_splits_one_level_below_are_not_one_class(tmp_path):
    # Training and test images were the images of a class called as the data set.
    make(tmp_path, "pets/train/cat*", "pets/test/cat*")
    with pytest.raises(ValueError, match=rf"pass '{tmp_path}/pets', or `train_split='\.'`"):
        split_folders(tmp_path)
    assert found(tmp_path, train_split=".") == [".", None]


def test_the_training_images_are_not_the_test_images_too(tmp_path):
    make(tmp_path, "train", "test", "val")
    assert found(tmp_path, train_split="test") == ["test", "val"]
    assert found(tmp_path, train_split="test", test_split="test") == ["test", "test"]


def test_other_folders_can_be_named(tmp_path):
    make(tmp_path, "fit", "train", "holdout")
    assert found(tmp_path, train_split="fit") == ["fit", None]
    assert found(tmp_path, test_split="holdout") == ["train", "holdout"]
    assert found(tmp_path, test_split="missing") == ["train", None]
    with pytest.raises(
        FileNotFoundError, match=r"folder hold,.*fit, holdout, train.*`train_split`"
    ):
        split_folders(tmp_path, "hold")


def test_named_test_images_are_not_trained_on(tmp_path):
    make(tmp_path, "cat", "dog", "holdout")
    with pytest.raises(FileNotFoundError, match="folder train beside holdout"):
        split_folders(tmp_path, test_split="holdout")
    with pytest.raises(ValueError, match=r"leaves out the images.*train_split='.'"):
        split_folders(tmp_path, ".", "holdout")


def test_a_path_that_is_no_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"'{tmp_path}/no', nothing of that")):
        split_folders(tmp_path / "no")
    (tmp_path / "notes.txt").write_text("no folder")
    with pytest.raises(NotADirectoryError, match=r"notes\.txt', a file"):
        split_folders(tmp_path / "notes.txt")
    # An empty path is the working directory elsewhere.
    for path in ("", None, 3, b"set"):
        with pytest.raises(ValueError, match=f"Expected `data_dir` to be .*Received: {path!r}"):
            split_folders(path)


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make(tmp_path, "set/train", "set/test")
    assert split_folders("~/set") == (tmp_path / "set" / "train", tmp_path / "set" / "test")
