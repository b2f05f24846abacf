"""Where a folder keeps its training and test images."""

import os

from absl import logging

from keras_adasim.data.array_folder import ArrayFolder
from keras_adasim.data.image_folder import ImageFolder
from keras_adasim.data.listing import some_names
from keras_adasim.files import expand

TRAIN = ("train", "training")
TESTS = (("test", "testing"), ("val", "valid", "validation"))


def split_folders(root, train_split="", test_split=""):
    """Finds the folders of the training and test images.

    The rules are those of `open_splits`.

    Args:
        root: The folder.
        train_split: Name of the folder of the training images, `"."` for the whole folder, or
            empty to find it.
        test_split: Name of the folder of the test images, or empty to find it.

    Returns:
        Two paths `(train, test)`; the latter is None where there is none.

    Raises:
        FileNotFoundError: If there is no such folder, or no training split in it.
        NotADirectoryError: If it is a file.
        ValueError: If it can't be told which folder is meant.
    """
    root = _checked_root(root)
    folders = sub_folders(root)
    train = _train(root, folders, train_split)
    test = _named_test(root, test_split, train) if test_split else _test(root, folders, train)
    if train is None:
        return _without_train(root, folders, test, test_split)
    if test is None and not train_split:
        _check_not_a_class(root, folders, train)
    return train, test


def sub_folders(root):
    """Sorted names of the folders in a folder that aren't hidden."""
    with os.scandir(root) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _checked_root(path):
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ValueError(f"Expected `data_dir` to be a folder of images. Received: {path!r}")
    root = expand(path)
    expected = (
        "Expected `data_dir` to be a folder of images; check the spelling, and that the data set "
        f"is unpacked. Received: data_dir='{root}', "
    )
    if not root.exists():
        raise FileNotFoundError(expected + "nothing of that name")
    if not root.is_dir():
        raise NotADirectoryError(expected + "a file")
    return root


def missing_split(root, names, argument):
    """Returns the error for a folder without a split of any of the names."""
    root = expand(root)
    found = some_names(sub_folders(root), 10) or "no folders"
    return FileNotFoundError(
        f"Expected {root} to have a folder {' or '.join(names)}, with one sub-folder per class in "
        f"it. Received a folder with: {found}. Name another one by `{argument}`."
    )


def _train(root, folders, train_split):
    if not train_split:
        return _only(root, _called(TRAIN, folders), "train_split")
    if not (root / train_split).is_dir():
        raise missing_split(root, [train_split], "train_split")
    return root / train_split


def _named_test(root, test_split, train):
    test = root / test_split
    if test.is_dir() and train == root:
        raise ValueError(
            f"Expected `train_split` to be a folder in {root} that leaves out the images of "
            f"`test_split`. Received: train_split='.', test_split={test_split!r}"
        )
    return test if test.is_dir() else None


def _test(root, folders, train):
    """The first kind of test split, but for one without classes where another has some."""
    if train == root:
        return None
    kinds = [_called(names, folders) for names in TESTS]
    tests = [_only(root, names, "test_split") for names in kinds if names]
    tests = [test for test in tests if test != train]
    labeled = [test for test in tests if sub_folders(test)]
    return next(iter(labeled or tests), None)


def _called(names, folders):
    return [folder for folder in folders if folder.lower() in names]


def _only(root, names, argument):
    if len(names) > 1:
        raise ValueError(
            f"Expected one folder of one kind of split in {root}: name the one that is meant by "
            f"`{argument}`. Received: {', '.join(names)}"
        )
    return root / names[0] if names else None


def _without_train(root, folders, test, test_split):
    """A folder without a training split is the training set, unless it holds a test split."""
    tests = [name for names in TESTS for name in _called(names, folders)]
    if test is not None and (test_split or len(tests) == len(folders)):
        raise FileNotFoundError(
            f"Expected {root} to have a folder train beside {test.name}: add it, or name it by "
            "`train_split`; `train_split='.'` takes the whole folder, its sub-folders being "
            f"classes. Received a folder with: {some_names(folders, 10)}"
        )
    if tests:
        logging.warning(
            "No folder train in %s: all of its folders are taken for classes, %s too.",
            root,
            some_names(tests),
        )
    elif len(folders) == 1 and _called(TRAIN, sub_folders(root / folders[0])):
        raise ValueError(
            "Expected `data_dir` to be the folder that holds train, or images or classes: pass "
            f"'{root / folders[0]}', or `train_split='.'` if that is a class. "
            f"Received: data_dir='{root}'"
        )
    return root, None


def _check_not_a_class(root, folders, train):
    """Raises if the folder called train looks like one class (of vehicles) among others."""
    others = [name for name in folders if name != train.name]
    if sub_folders(train) or not any(holds_images(root / name) for name in others):
        return
    raise ValueError(
        f"Expected {root} to have folders train and test, or classes: `train_split='{train.name}'` "
        "takes that folder alone, `train_split='.'` takes it as a class among the others. "
        f"Received a folder with: {some_names(folders, 10)}"
    )


def holds_images(folder):
    """Whether there are images in a folder, not below it."""
    suffixes = ImageFolder.suffixes + ArrayFolder.suffixes
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_file() and not e.name.startswith(".")]
    return any(name.lower().endswith(suffixes) for name in names)
