"""Features on disk, so that the second protocol on the same images starts at once."""

import contextlib
import hashlib
import json
import os

import numpy as np

from keras_adasim.data.keys import checked_keys
from keras_adasim.files import DAMAGED, check_unpacked, expand, written_file
from keras_adasim.validation import check_has, check_number

FORMAT = 1
# All files together; the ones used longest ago go first.
MOST_BYTES = 16 * 10**9


class FeatureCache:
    """Files of features in one folder, each by the key of what it was computed from.

    A file that is damaged is named and computed again; what can't be written isn't kept, which is
    said too. The folder holds at most `most_bytes`: the files used longest ago are removed.

    Args:
        folder: The folder, which need not exist; None keeps nothing.
        say: Function of a line of text that tells what happens.
        most_bytes: Size of all files together, at most.

    Raises:
        ValueError: If an argument is none of these.

    Example:
        ```python
        cache = ka.evaluation.FeatureCache("features", say=print)
        source = ka.data.ArraySource(np.zeros((6, 8, 8, 3), np.uint8))
        key = ka.evaluation.feature_cache.feature_key("some backbone", source, {"image_size": 8})
        features = cache.get(key, lambda: np.ones((6, 4), np.float32), rows=6)
        ```
    """

    def __init__(self, folder, say=None, most_bytes=MOST_BYTES):
        self.folder = None if folder is None else expand(folder, "folder")
        self.say = (
            (lambda text: None)
            if say is None
            else check_has("say", say, "a function of a text, or None", "__call__")
        )
        self.most_bytes = check_number("most_bytes", most_bytes, minimum=0)

    def path(self, key):
        """The file of a key."""
        return self.folder / f"{key}.npz"

    def has(self, key):
        """Whether there is a file of that key."""
        return self.folder is not None and self.path(key).is_file()

    def get(self, key, compute, rows):
        """Returns features from the disk, or computes and keeps them.

        Args:
            key: What `feature_key` gives.
            compute: Function without arguments that gives a float32 array of `rows` rows.
            rows: Number of images.

        Returns:
            float32 array.
        """
        found = self._read(key, rows) if self.has(key) else None
        if found is not None:
            return found
        features = np.asarray(compute(), np.float32)
        if self.folder is not None:
            self._write(key, features)
        return features

    def _read(self, key, rows):
        path = self.path(key)
        try:
            check_unpacked(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                features = arrays["features"]
            if len(features) != rows or features.dtype != np.float32:
                raise ValueError(f"{features.dtype} {features.shape}")
        except DAMAGED as error:
            self.say(f"{path} is damaged and computed again: {type(error).__name__}: {error}")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # Used now.
        self.say(f"{rows} features from the cache: {path}")
        return features

    def _write(self, key, features):
        if features.nbytes > self.most_bytes:
            self.say(f"{features.nbytes:,} bytes of features are not kept: too many for the cache")
            return
        try:
            self._make_room(features.nbytes)
            with written_file(self.path(key)) as file:
                np.savez(file, features=features)
        except OSError as error:
            self.say(f"features are not kept: {error}")

    def _make_room(self, needed):
        files = list(self.folder.glob("*.npz")) if self.folder.is_dir() else []
        files.sort(key=lambda path: path.stat().st_mtime_ns)
        total = needed + sum(path.stat().st_size for path in files)
        while files and total > self.most_bytes:
            total -= files[0].stat().st_size
            files.pop(0).unlink()


def feature_key(backbone, source, transform):
    """Names features by what they are computed from: backbone, images and transform.

    Args:
        backbone: String, such as `weights_fingerprint` gives.
        source: `Source` of the images, which are told by their keys and fingerprints: a file that
            has changed, was renamed or copied is another image.
        transform: Dict of what happens to an image, and what is taken from the backbone.

    Returns:
        String of 32 hexadecimal digits.

    Raises:
        ValueError: If `source` isn't one.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((6, 8, 8, 3), np.uint8))
        ka.evaluation.feature_cache.feature_key("some backbone", source, {"image_size": 8})
        ```
    """
    about = json.dumps([FORMAT, backbone, images_fingerprint(source), transform], sort_keys=True)
    return hashlib.sha256(about.encode()).hexdigest()[:32]


def images_fingerprint(source):
    """16 hexadecimal digits that depend on every image of a source, and on their order.

    Args:
        source: `Source`.

    Returns:
        String.

    Raises:
        ValueError: If `source` isn't one.

    Example:
        ```python
        source = ka.data.ArraySource(np.zeros((6, 8, 8, 3), np.uint8))
        len(ka.evaluation.feature_cache.images_fingerprint(source))  # 16
        ```
    """
    check_has("source", source, "a `data.Source`", "__len__", "fingerprints", "channels")
    digest = hashlib.sha256(str((len(source), source.channels)).encode())
    for array in checked_keys(source).to_arrays().values():
        digest.update(np.ascontiguousarray(array))
    digest.update(np.ascontiguousarray(source.fingerprints()))
    return digest.hexdigest()[:16]


def weights_fingerprint(variables, *facts):
    """16 hexadecimal digits that depend on every weight of a network.

    They don't depend on the order of the variables, nor on seeds of dropout: a network and what was
    exported of it have the same.

    Args:
        variables: Its variables.
        *facts: What else decides its features, such as the mean that images are normalized with.

    Returns:
        String.

    Example:
        ```python
        layer = keras.layers.Dense(3)
        layer.build((None, 4))
        ka.evaluation.feature_cache.weights_fingerprint(layer.variables, "bilinear")
        ```
    """
    digests = []
    for variable in variables:
        array = np.ascontiguousarray(variable.numpy())
        if array.dtype.kind not in "iu":
            digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
            digests.append(digest.hexdigest())
    return hashlib.sha256(repr((facts, sorted(digests))).encode()).hexdigest()[:16]
