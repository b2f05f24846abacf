"""The images of a run: opened, limited, and kept in memory where they fit."""

import os

import numpy as np

from keras_adasim import data
from keras_adasim.data.keys import checked_keys
from keras_adasim.data.unlabeled import Unlabeled
from keras_adasim.pretraining import needs
from keras_adasim.pretraining.choosing import some_images
from keras_adasim.validation import renamed

# Decoded images above this many bytes stay on disk.
MEMORY_LIMIT = 4 * 2**30


def open_sources(
    images, test_images, folder=None, *, channels, limit, seed, knn_images=2, pairing="adasim"
):
    """The training source, and the test source where there is one.

    Args:
        images: A folder, a list of folders, an array, or a `Source`.
        test_images: The same, for the test images; None takes those beside a folder's `train/`.
        folder: The `RunFolder`, which keeps listings of folders, or None.
        channels: Channels of images in folders.
        limit: Use so many training images, drawn once; 0 for all.
        seed: Seed of that draw.
        knn_images: 0 if there is to be no k-NN, for which labels would be read.
        pairing: Name of the pairing; "oracle" needs labels.

    Raises:
        ValueError: If there are fewer than two training images, or `data` is something else.
    """
    listings = None if folder is None else folder.looks
    train, beside = _open("data", images, channels, listings)
    test = beside
    if test_images is not None:
        test, _ = _open("test_data", test_images, channels, listings)
    if len(train) < 2:
        raise ValueError(f"Expected `data` with at least two images. Received: {len(train)} image")
    if knn_images == 0 and pairing != "oracle":
        train, test = _unlabeled(train), _unlabeled(test)
    if test is not None and train.labels is not None:
        test.checked_labels()
    if limit:
        train = data.Subset(train, _draw(train, limit, seed))
    return train, test


def _unlabeled(source):
    """The images without their labels, which a TFDS has within its images' records."""
    if source is None or isinstance(source, data.ArraySource):
        return source
    return Unlabeled(source, "not asked for, by `knn_images`=0")


def _open(name, images, channels, listings):
    if isinstance(images, data.Source):
        return images, None
    if isinstance(images, np.ndarray):
        return data.ArraySource(images), None
    folders = images if isinstance(images, list | tuple) else [images]
    paths = [folder for folder in folders if isinstance(folder, str | os.PathLike) and folder]
    if not folders or paths != list(folders):
        raise ValueError(
            f"Expected `{name}` to be a folder, a list of folders, a uint8 array (N, H, W, C) or a "
            f"source of `keras_adasim.data`. Received: an object of type {type(images).__name__}"
        )
    with renamed(data_dir=name):
        return data.open_splits(images, channels, listings=listings)


def _draw(source, limit, seed):
    """By key, so that one image more or less changes the draw by one."""
    if not 1 < limit <= len(source):
        raise ValueError(f"Expected `limit` from 2 to {len(source)}. Received: limit={limit}")
    return np.sort(checked_keys(source).shuffled(seed)[:limit])


def keep_in_memory(source, in_memory):
    """Decodes a source once, if it is to be in memory: "yes", "no", or where it fits ("auto")."""
    if source is None or in_memory == "no":
        return source
    samples = [image.shape for image in some_images(source, 32)]
    needed = int(np.prod(samples[0])) * len(source)
    if in_memory == "yes":
        needs.check_fits(
            needed, needs.host_memory(), "all images in memory", "Pass `in_memory=no`."
        )
        return data.load_in_memory(source)
    if len(set(samples)) > 1 or needed > MEMORY_LIMIT:
        return source
    try:
        return data.load_in_memory(source)
    except ValueError:
        return source  # The samples were alike, the others are not, or one is bad.
