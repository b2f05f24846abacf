"""Training and test images of a data set that TensorFlow Datasets has prepared."""

from keras_adasim.data.tfds_source import TfdsSource, prepared_builder

TESTS = ("test", "validation")


def tfds_splits(
    name,
    data_dir=None,
    train_split="",
    test_split="",
    require_test=False,
    require_labels=False,
):
    """Opens the training and the test images of a TensorFlow Datasets data set.

    The test images are those of the split `"test"` or, where it is missing or without labels, of
    `"validation"`. Labels of -1, as of test sets that are kept secret, count as none; only the
    first image's label is looked at.

    Args:
        name: String. The data set, for instance `"imagenette/320px-v2"`.
        data_dir: Folder of the prepared data sets; TensorFlow Datasets' own when None or empty.
        train_split: The split of the training images, such as `"train[:10%]"`; `"train"` by
            default.
        test_split: The split of the test images; found by default.
        require_test: Whether to raise if there are no test images with labels.
        require_labels: Whether to raise if training or test images have no labels, for which all
            labels are read.

    Returns:
        Two sources `(train, test)`; `test` is None where there are no test images with labels.

    Raises:
        FileNotFoundError: If the data set is not prepared there as array_record files.
        ValueError: If it has no such image or split, or labels that are required are missing.

    Example:
        ```python
        import tempfile
        import tensorflow_datasets as tfds

        image = tfds.features.Image(shape=(8, 8, 3))
        records = tf.data.Dataset.from_tensors({"image": tf.zeros((8, 8, 3), "uint8")})
        with tempfile.TemporaryDirectory() as folder:
            tfds.dataset_builders.store_as_tfds_dataset(
                "tiny", "1.0.0", tfds.features.FeaturesDict({"image": image}), {"train": records},
                data_dir=folder, file_format="array_record",
            )
            train, test = ka.data.tfds_splits("tiny", folder)
        len(train), test  # 1, None
        ```
    """
    data_dir = data_dir or None
    train = TfdsSource(name, train_split or "train", data_dir)
    if test_split:
        test = TfdsSource(name, test_split, data_dir)
    else:
        test = _labeled_test(name, data_dir)
    if test is None and require_test:
        splits = ", ".join(sorted(prepared_builder(name, data_dir).info.splits))
        raise ValueError(
            f"Expected a split with labels called {' or '.join(TESTS)} in {name}, or another one "
            f"named by `test_split`. Received a data set with: {splits}"
        )
    for source in (train, test):
        if require_labels and source is not None:
            source.checked_labels()
    return train, test


def _labeled_test(name, data_dir):
    splits = prepared_builder(name, data_dir).info.splits
    for split in TESTS:
        if split in splits and splits[split].num_examples:
            source = TfdsSource(name, split, data_dir)
            if source.starts_labeled():
                return source
    return None
