"""A data set that TensorFlow Datasets has prepared."""

import functools
import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_adasim.data.file_fingerprints import file_fingerprints
from keras_adasim.data.source import Source
from keras_adasim.files import expand
from keras_adasim.keys import Keys

_RECORDS_AT_ONCE = 1024


class TfdsSource(Source):
    """A split of a TensorFlow Datasets data set, by index.

    Records are read by index from array_record files and parsed and decoded in the graph, not in
    Python. The data set has to be prepared already; nothing is downloaded here.

    Args:
        name: String. The data set, for instance `"imagenette/320px-v2"`.
        split: String. The split, for instance `"train"` or `"train[:10%]"`.
        data_dir: Folder of the prepared data sets; TensorFlow Datasets' own when None.

    Attributes:
        name: The data set.
        split: The split.

    Raises:
        FileNotFoundError: If the data set is not prepared there as array_record files.
        ValueError: If its features have no JPEG or PNG image called "image", or it has no such
            split.

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
            ka.data.TfdsSource("tiny", "train", folder)[0].shape  # (8, 8, 3)
        ```
    """

    def __init__(self, name, split, data_dir=None):
        for argument, value in (("name", name), ("split", split)):
            if not isinstance(value, str) or not value:
                raise ValueError(
                    f"Expected `{argument}` to be a name of TensorFlow Datasets. "
                    f"Received: {argument}={value!r}"
                )
        self.name = name
        self.split = split
        builder = prepared_builder(name, data_dir)
        feature = _image_feature(name, builder.info.features)
        height, width, self.channels = feature.shape
        self.image_size = None if height is None or width is None else (height, width)
        label = dict(builder.info.features.items()).get("label")
        self._has_labels = _is_integer(label)
        is_named = isinstance(label, tfds.features.ClassLabel) and label.num_classes
        self.class_names = list(label.names) if is_named else None
        self._labels = None
        self._records = _records(builder, split)
        self._version = builder.info.full_name
        self._files = self._records.dataset_info.splits[split].file_instructions

    def __len__(self):
        """Number of images."""
        return len(self._records)

    @property
    def labels(self):
        """(N,) int64 array, or None if the features have no integer "label", or one is below 0.

        The first access reads all records, images included, which takes a while.
        """
        if self._has_labels and self._labels is None:
            labels = self._read_labels(range(len(self)))
            # Splits of which the labels are kept secret have -1 throughout.
            self._has_labels = bool(labels.min() >= 0)
            self._labels = labels if self._has_labels else None
        return self._labels

    @property
    def why_unlabeled(self):
        """String. Why there are no labels, or None; reads them."""
        if self.labels is not None:
            return None
        return f'no "label" of 0 or more for every image of {self.name}, split {self.split}'

    def starts_labeled(self):
        """Whether the first image has a label, without reading the others."""
        return self._has_labels and bool(self._read_labels(range(1))[0] >= 0)

    def read(self, index):
        """Reads the bytes of an image: int64 scalar tensor -> string scalar tensor."""
        record = tf.ensure_shape(tf.numpy_function(self._record, [index], tf.string), ())
        features = {"image": tf.io.FixedLenFeature([], tf.string)}
        return tf.io.parse_single_example(record, features)["image"]

    def describe(self, index):
        """Names an image by its place in the split."""
        return f"image {index} of {self.name}, split {self.split}"

    @functools.cached_property
    def keys(self):
        """`Keys`: data set, version, and file and place there, which a part of a split shares."""
        return Keys(
            f"{self._version}/{os.path.basename(file.filename)}__{file.skip + place}"
            for file in self._files
            for place in range(file.take)
        )

    def fingerprints(self, indices=None):
        """(n,) uint64 array: size, time of the last change and number of the images' files."""
        files = file_fingerprints(file.filename for file in self._files)
        found = np.repeat(files, [file.take for file in self._files])
        return found if indices is None else found[np.asarray(indices)]

    def _record(self, index):
        # An array of objects, because NumPy's own strings lose zeros at the end.
        return np.array(self._records[int(index)], object)

    def _read_labels(self, indices):
        features = {"label": tf.io.FixedLenFeature([], tf.int64)}
        labels = []
        for start in range(0, len(indices), _RECORDS_AT_ONCE):
            records = self._records.__getitems__(list(indices[start : start + _RECORDS_AT_ONCE]))
            labels.append(tf.io.parse_example(records, features)["label"].numpy())
        return np.concatenate(labels)


def prepared_builder(name, data_dir):
    """Returns the builder of a data set that is prepared as array_record files.

    Raises:
        FileNotFoundError: If it isn't; gives the command that prepares it.
    """
    data_dir = None if data_dir is None else expand(data_dir, "data_dir")
    fix = f"tfds build {name} --file_format=array_record"
    if data_dir is not None:
        fix += f" --data_dir={data_dir}"
    message = (
        f"Expected `name`={name!r} to be prepared as array_record files in "
        f"data_dir={data_dir or tfds.core.constants.DATA_DIR}: prepare it with `{fix}`. Received: "
    )
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:  # Or no name at all.
        raise FileNotFoundError(message + "a data set that is unknown and not there") from error
    if not builder.is_prepared():
        raise FileNotFoundError(message + "a data set that is not there")
    formats = sorted(form.value for form in builder.info.available_file_formats())
    if "array_record" not in formats:
        raise FileNotFoundError(message + f"files of {', '.join(formats)}")
    return builder


def _records(builder, split):
    try:
        return builder.as_data_source(
            split,
            deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
            file_format="array_record",
        )
    except (ValueError, KeyError) as error:
        splits = ", ".join(sorted(builder.info.splits))
        raise ValueError(
            f"Expected `split` to be one of {splits} of {builder.name}, or "
            f"a part such as 'train[:10%]'. Received: split={split!r}"
        ) from error


def _is_integer(feature):
    is_scalar = feature is not None and feature.shape == ()
    return is_scalar and np.issubdtype(feature.np_dtype, np.integer)


def _image_feature(name, features):
    feature = dict(features.items()).get("image")
    if not isinstance(feature, tfds.features.Image) or feature.shape[-1] not in (1, 3):
        raise ValueError(
            "Expected the data set's features to have a gray or RGB `tfds.features.Image` called "
            f"'image'. Received: name={name!r}, features={features}"
        )
    return feature
