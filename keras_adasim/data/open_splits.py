"""Training and test images of a folder, or of several."""

from keras_adasim.data.archive_splits import archive_splits
from keras_adasim.data.archives import Archives, find_archives, is_archive
from keras_adasim.data.joined_source import JoinedSource
from keras_adasim.data.listing import some_names
from keras_adasim.data.open_folder import open_folder
from keras_adasim.data.split_folders import missing_split, split_folders
from keras_adasim.validation import check_strings, check_switch


def open_splits(
    data_dir,
    channels=3,
    train_split="",
    test_split="",
    require_test=False,
    require_labels=False,
    listings=None,
):
    """Opens the training and the test images of a folder, or of several.

    In each folder the training images are found in `train` or `training`, the test images in
    `test` or `testing`, else in `val`, `valid` or `validation`, in upper or lower case. A folder
    without a training split is the training set itself. But:

    - where `test` has no sub-folders, so no labels, and `val` has some, `val` is taken;
    - a folder that holds nothing but test splits is an error;
    - where there are other folders beside `test`, but no `train`, all of them are classes, and a
      warning says so;
    - a folder that holds nothing but one folder with a training split is an error;
    - tar archives in one folder are told apart by these words in their names, as in
      `train-000.tar` and `val-000.tar`;
    - if `train` holds images and no sub-folder, the folders beside it hold images too, and none
      is a test split, then `train` may be a class among others: that is an error, which a
      `train_split` mends.

    Of several folders, the training parts are joined in the order given, and so are the test
    parts. Classes are matched by name, and numbered in the order of the training classes' names; a
    folder without images is no class.

    Args:
        data_dir: The folder, or a list of folders; or a tar archive, a name such as
            `"train-{000..099}.tar"`, or a list of them, which are the training set.
        channels: 3 for RGB, 1 for gray, or the number of channels of .npy files.
        train_split: Name of the folder of the training images in every folder; `"."` takes the
            folder itself. Found by default.
        test_split: Name of the folder of the test images in at least one folder; found by default.
        require_test: Whether to raise if there are no test images.
        require_labels: Whether to raise if training or test images have no labels.
        listings: A folder in which the folders' listings are kept, as for `ImageFolder`.

    Returns:
        Two sources `(train, test)`; `test` is None where there are no test images.

    Raises:
        FileNotFoundError: If there is no such folder, split or image.
        NotADirectoryError: If a path is a file.
        ValueError: If it can't be told which folder is meant, a folder comes twice, a test class
            is none of the training classes, or labels that are required are missing.

    Example:
        ```python
        import pathlib, tempfile

        with tempfile.TemporaryDirectory() as folder:
            for name in ("train/cat", "train/dog", "test/dog"):
                (pathlib.Path(folder) / name).mkdir(parents=True)
                keras.utils.save_img(f"{folder}/{name}/1.png", np.zeros((8, 8, 3)))
            train, test = ka.data.open_splits(folder)
            train.labels, test.labels  # [0, 1], [1]
        ```
    """
    check_switch("require_test", require_test)
    check_switch("require_labels", require_labels)
    check_strings("train_split", [train_split])
    check_strings("test_split", [test_split])
    roots = list(data_dir) if isinstance(data_dir, list | tuple) else [data_dir]
    if not roots:
        raise ValueError("Expected `data_dir` to be a folder or a list of them. Received: []")
    if all(is_archive(root) for root in roots):
        roots = [find_archives(roots)]
    found = [_places(root, channels, train_split, test_split) for root in roots]
    trains = _different([train for train, _ in found])
    tests = _different([test for _, test in found if test is not None])
    if not tests and (require_test or test_split):
        if isinstance(roots[0], Archives):
            raise ValueError(
                "Expected test images: pass the folder that training and test archives are in. "
                f"Received: `data_dir` of {len(roots[0].names)} archives, all for training"
            )
        raise missing_split(roots[0], [test_split] if test_split else ["test", "val"], "test_split")
    train = _open(trains, channels, listings)
    test = _open(tests, channels, listings, train) if tests else None
    for source in (train, test):
        if require_labels and source is not None:
            source.checked_labels()
    return train, test


def _places(root, channels, train_split, test_split):
    """Where the training and the test images are: folders, or archives."""
    if isinstance(root, Archives):
        return root, None
    archives = archive_splits(root, train_split, test_split)
    if archives is None:
        return split_folders(root, train_split, test_split)
    train, tests = archives
    if len(tests) > 1:  # Those without labels may be a test set whose labels are kept secret.
        tests = [test for test in tests if open_folder(test, channels).labels is not None] or tests
    return train, next(iter(tests), None)


def _different(folders):
    for i, folder in enumerate(folders):
        others = [other.resolve() for other in folders[:i] + folders[i + 1 :]]
        path = folder.resolve()
        if any(other in (path, *path.parents) for other in others):
            raise ValueError(
                "Expected folders in `data_dir` of which none is another or lies in it, or images "
                f"would come twice. Received: {folder} twice"
            )
    return folders


def _open(folders, channels, listings, train=None):
    sources = [open_folder(folder, channels, listings) for folder in folders]
    wanted = None if train is None else train.class_names
    if wanted is not None:
        for source in sources:
            _check_classes(source, wanted)
    if len(sources) == 1 and (wanted is None or sources[0].class_names in (None, wanted)):
        return sources[0]
    return JoinedSource(sources, wanted)


def _check_classes(source, wanted):
    unknown = sorted(set(source.class_names or ()) - set(wanted))
    if unknown:
        raise ValueError(
            "Expected every class of the test images to be a class of the training images, with "
            f"images of it: rename or remove the folder. Received: {some_names(unknown)} in "
            f"{source.path}, {len(unknown)} that the training images lack"
        )
