"""What a run knows of its images: bank, window and keys of its newest checkpoint, and pictures."""

import concurrent.futures
import contextlib
import functools
import os

import ml_dtypes
import numpy as np
import tensorflow as tf

from keras_adasim import data
from keras_adasim import pairing as pairings
from keras_adasim.checkpoints import CheckpointFolder
from keras_adasim.data.keys import checked_keys, place_keys
from keras_adasim.data.stand_ins import readable
from keras_adasim.evaluation import gallery
from keras_adasim.files import DAMAGED
from keras_adasim.keys import Keys
from keras_adasim.layers.preprocessing import resize_bytes
from keras_adasim.reporting import Gallery
from keras_adasim.reporting.thumbnails import jpeg

SIDE = 64  # Of a picture in a gallery, in pixels.


class Pictures:
    """The images of a run, as far as they are still there.

    Args:
        source: `Source`, or None.
        keys: `Keys` of the N images as the run knew them.

    Attributes:
        source: The source.
        keys: The keys.
        labels: (N,) int64 array of labels, or None if not all are known.
        class_names: List of the classes' names, or None.
    """

    def __init__(self, source, keys):
        self.source, self.keys = source, keys
        self._places, self._read = np.full(len(keys), -1), {}
        if source is not None:
            known = checked_keys(source)
            self._places = np.arange(len(keys)) if known == keys else known.find(keys)
        self.labels = self.class_names = None
        if source is not None and source.labels is not None and (self._places >= 0).all():
            self.labels = np.asarray(source.labels)[self._places]
            names = source.class_names or range(int(self.labels.max()) + 1)
            self.class_names = [str(name) for name in names]

    @property
    def are_there(self):
        """Whether any of the images is there."""
        return bool((self._places >= 0).any())

    def read(self, indices, side=SIDE):
        """The central squares of images; each is read once for a side.

        Args:
            indices: Integers, images of the run.
            side: Their side in pixels.

        Returns:
            Dict of those that can be read to (side, side, C) uint8 arrays.
        """
        known = self._read.setdefault(side, {})
        new = np.setdiff1d(indices, list(known))
        known |= dict.fromkeys(new.tolist()) | self._read_new(new[self._places[new] >= 0], side)
        found = {index: known[index] for index in np.unique(indices).tolist()}
        return {index: image for index, image in found.items() if image is not None}

    def _read_new(self, indices, side):
        """By threads: few images don't pay for a graph, and each may be bad for itself."""
        places = self._places[indices]
        places = places[np.isin(places, readable(self.source, places))] if len(places) else places

        def read(place):
            with contextlib.suppress(ValueError, tf.errors.OpError):
                return _square(self.source[int(place)], side)

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            found = dict(zip(places.tolist(), threads.map(read, places), strict=True))
        return {i: found.get(int(self._places[i])) for i in indices.tolist()}

    def class_of(self, index):
        """Name of an image's class, or None."""
        return None if self.labels is None else self.class_names[self.labels[index]]


class Evidence:
    """Bank and pairing of a run, from a checkpoint.

    Args:
        folder: `RunFolder`.
        settings: Dict of the run's settings.
        pairing: The pairing, if it is in memory; else it is read.
        checkpoint: The `Checkpoint`; the newest by default.

    Attributes:
        checkpoint: The `Checkpoint`, or None.
        keys: `Keys` of the N images.
        features: (N, D) float32 array, the bank's rows; None without a bank.
        records: Tuple of ids and similarities (N, k); None without a bank.

    Raises:
        ValueError: If the checkpoint is damaged, or of another version.
    """

    def __init__(self, folder, settings, pairing=None, checkpoint=None):
        self._folder, self._settings, self._pairing = folder, settings, pairing
        self.checkpoint = checkpoint or CheckpointFolder(folder.checkpoints).newest()
        self.keys, self.features, self.records = place_keys(0), None, None
        if self.checkpoint is None:
            return
        groups = self.checkpoint.groups()
        if "images" in groups:
            self.keys = Keys.from_arrays(dict(self.checkpoint.group("images")), "keys_")
        if tables := self.checkpoint.joined("bank"):
            features, *records = tables
            self.features = (
                features.view(ml_dtypes.bfloat16) if features.dtype.kind == "V" else features
            )
            self.features, self.records = (
                self.features.astype(np.float32, copy=False),
                tuple(records),
            )
            if not len(self.keys):
                self.keys = place_keys(len(self.features))

    @functools.cached_property
    def pairing(self):
        """The pairing as the checkpoint has it; None for one that no bank decides."""
        return self._pairing or _pairing_of(self.checkpoint, self._settings, len(self.keys))

    @functools.cached_property
    def earlier(self):
        """The pairing of the epoch before, or None if that checkpoint isn't there."""
        epoch = self.checkpoint.place[0] - 1
        for checkpoint in CheckpointFolder(self._folder.checkpoints).all():
            if checkpoint.place == (epoch, 0) and checkpoint.looks_whole():
                try:
                    return _pairing_of(checkpoint, self._settings, len(self.keys))
                except DAMAGED:  # Of other images than now, or not whole.
                    return None
        return None

    @property
    def has_window(self):
        """Whether there is a window that votes."""
        return hasattr(self.pairing, "distribution")

    @property
    def written(self):
        """(n,) indices of the images whose row was written."""
        return np.flatnonzero(self.features.any(axis=1))

    def neighbors(self, queries):
        """`Neighbors` of images: by the window, else by the bank's rows; None without a bank."""
        if self.has_window and self.pairing.pushes:
            return gallery.by_window(self.pairing, queries)
        if self.features is None:
            return None
        k = min(self.records[0].shape[1], len(self.features))
        return gallery.by_cosine(self.features, queries, k)


def make_gallery(neighbors, why, pictures, epochs=0):
    """The `Gallery` of some `Neighbors`, with pictures and names."""
    shown = np.unique([*neighbors.queries, *neighbors.ids[neighbors.ids >= 0]]).tolist()
    images = pictures.read(shown)
    classes = {index: pictures.class_of(index) for index in shown}
    return Gallery(
        neighbors,
        list(why),
        names={index: pictures.keys[index] for index in shown},
        pictures={index: jpeg(image) for index, image in images.items()},
        classes={index: name for index, name in classes.items() if name is not None},
        epochs=epochs,
    )


def open_images(places, settings):
    """The training images of a run, from where they lie now.

    Args:
        places: Folder or list of folders.
        settings: Dict of the run's settings.

    Raises:
        OSError: If there are none.
        ValueError: If they are of another kind.
    """
    source = data.open_splits(places, settings.get("channels", 3))[0]
    value_range = settings.get("value_range") or (0, 0)
    if any(value_range):
        source.value_range = tuple(value_range)
    return source


def _square(image, side):
    """The central square of an image (H, W, C), resized."""
    height, width, _ = image.shape
    shorter = min(height, width)
    top, left = (height - shorter) // 2, (width - shorter) // 2
    square = image[top : top + shorter, left : left + shorter]
    return resize_bytes(tf.constant(square), (side, side)).numpy()


def _pairing_of(checkpoint, settings, num_images):
    if checkpoint is None or settings.get("pairing") not in ("adasim", "nearest"):
        return None
    arguments = {"num_images": num_images, "topk": settings["topk"]}
    if settings["pairing"] == "adasim":
        arguments |= {"window": settings["window"], "seed": settings["seed"]}
        arguments["temperature"] = settings["sampling_temperature"]
    pairing = pairings.get(settings["pairing"], **arguments)
    pairing.set_state(dict(checkpoint.group("pairing")), checkpoint.window)
    return pairing
