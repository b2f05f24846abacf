"""A data set that TensorFlow Datasets has prepared."""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_adasim.data.source import Source

_RECORDS_AT_ONCE = 1024


class TfdsSource(Source):
    """A split of a TensorFlow Datasets data set, by index.

    Records are read by index from array_record files and parsed and decoded in the graph, not in
    Python. The data set has to be prepared already; nothing is downloaded here.

    Args:
        name: String. The data set, for instance `"imagenette/320px-v2"`.
        split: String. The split, for instance `"train"` or `"train[:10%]"`.
        data_dir: Folder of the prepared data sets; TensorFlow Datasets' own when None.

    Raises:
        FileNotFoundError: If the data set is not prepared there as array_record files.
        ValueError: If its features have no JPEG or PNG image called "image".
    """

    def __init__(self, name, split, data_dir=None):
        self.name = name
        self.split = split
        builder = _prepared_builder(name, data_dir)
        feature = _image_feature(name, builder.info.features)
        height, width, self.channels = feature.shape
        self.image_size = None if height is None or width is None else (height, width)
        self._has_labels = "label" in builder.info.features
        self._labels = None
        self._records = builder.as_data_source(
            split,
            deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
            file_format="array_record",
        )

    def __len__(self):
        """Number of images."""
        return len(self._records)

    @property
    def labels(self):
        """(N,) int64 array, or None if the features have no "label".

        The first access reads all records, images included, which takes a while.
        """
        if self._has_labels and self._labels is None:
            self._labels = self._read_labels()
        return self._labels

    def read(self, index):
        """Reads the bytes of an image: int64 scalar tensor -> string scalar tensor."""
        record = tf.ensure_shape(tf.numpy_function(self._record, [index], tf.string), ())
        features = {"image": tf.io.FixedLenFeature([], tf.string)}
        return tf.io.parse_single_example(record, features)["image"]

    def describe(self, index):
        """Names an image by its place in the split."""
        return f"image {index} of {self.name}, split {self.split}"

    def _record(self, index):
        # An array of objects, because NumPy's own strings lose zeros at the end.
        return np.array(self._records[int(index)], object)

    def _read_labels(self):
        features = {"label": tf.io.FixedLenFeature([], tf.int64)}
        labels = []
        for start in range(0, len(self), _RECORDS_AT_ONCE):
            indices = range(start, min(start + _RECORDS_AT_ONCE, len(self)))
            records = self._records.__getitems__(list(indices))
            labels.append(tf.io.parse_example(records, features)["label"].numpy())
        return np.concatenate(labels)


def _prepared_builder(name, data_dir):
    fix = f"tfds build {name} --file_format=array_record"
    if data_dir is not None:
        fix += f" --data_dir={data_dir}"
    message = (
        f"Expected {name!r} to be prepared as array_record files in "
        f"data_dir={data_dir or tfds.core.constants.DATA_DIR}: prepare it with `{fix}`. Received: "
    )
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise FileNotFoundError(message + "a data set that is unknown and not there") from error
    if not builder.is_prepared():
        raise FileNotFoundError(message + "a data set that is not there")
    formats = sorted(form.value for form in builder.info.available_file_formats())
    if "array_record" not in formats:
        raise FileNotFoundError(message + f"files of {', '.join(formats)}")
    return builder


def _image_feature(name, features):
    feature = dict(features.items()).get("image")
    if not isinstance(feature, tfds.features.Image) or feature.shape[-1] not in (1, 3):
        raise ValueError(
            "Expected the data set's features to have a grey or RGB `tfds.features.Image` called "
            f"'image'. Received: name={name!r}, features={features}"
        )
    return feature
