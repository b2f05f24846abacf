"""k-NN accuracy of an exported backbone on labelled images.

    python -m evaluation.knn --backbone=runs/adasim/saved_model --data_dir=cifar10 --k=10 --k=20

The folder of the data holds train/ and test/ (or val/), each with one sub-folder per class. The
images of train/ vote for the labels of those of test/, as in DINO's evaluation: the central square
of an image whose shorter side is 256 / 224 of it; images that have the backbone's size already are
taken as they are.
"""

import pathlib
import time

import numpy as np
import tensorflow as tf
from absl import flags

from keras_adasim import command
from keras_adasim.data import TfdsSource, open_folder
from keras_adasim.evaluation.features import embed
from keras_adasim.evaluation.knn import knn_accuracy
from keras_adasim.export import load_backbone


def define_flags():
    """Defines the command's flags."""
    flags.DEFINE_string("backbone", None, "Folder of an exported backbone.", required=True)
    flags.DEFINE_string("data_dir", "", "Folder with train/ and test/ or val/.")
    flags.DEFINE_string("tfds", "", "TensorFlow Datasets' name of the data, instead of a folder.")
    flags.DEFINE_string("tfds_dir", None, "Where TensorFlow Datasets has prepared it.")
    flags.DEFINE_string("train_split", "train", "Folder or split whose images vote.")
    flags.DEFINE_string("test_split", "", "The one that is classified; test, else val.")
    flags.DEFINE_multi_integer("k", [20], "Number of voters.")
    flags.DEFINE_float("temperature", 0.07, "Temperature of the votes.")
    flags.DEFINE_integer("batch_size", 256, "Images embedded at a time.", lower_bound=1)
    flags.DEFINE_integer("limit", 0, "Use so many images of each set, drawn once; 0 for all.")


def main():
    """Reads the flags and evaluates."""
    values = flags.FLAGS
    backbone = load_backbone(values.backbone)
    if bool(values.data_dir) == bool(values.tfds):
        raise ValueError("Expected either --data_dir or --tfds.")
    if values.data_dir:
        sources = folder_sources(
            values.data_dir, backbone.metadata.channels, values.train_split, values.test_split
        )
    else:
        splits = (values.train_split, values.test_split or "test")
        sources = [TfdsSource(values.tfds, split, values.tfds_dir) for split in splits]
    evaluate(
        backbone, *sources, values.k, values.temperature, values.batch_size, values.limit or None
    )


def evaluate(backbone, train, test, k=(20,), temperature=0.07, batch_size=256, limit=None):
    """Embeds both sources and prints one line per k.

    Args:
        backbone: an `ExportedBackbone`.
        train: labelled source whose images vote.
        test: labelled source whose images are classified.
        k: numbers of voters.
        temperature: of the votes.
        batch_size: images embedded at a time.
        limit: at most so many images of each source, drawn once; `None` for all.

    Returns:
        dictionary of k to `(top1, top5)`.
    """
    check(train, test, k, limit)
    start = time.perf_counter()
    train_features, train_labels = features_and_labels(backbone, train, batch_size, limit)
    test_features, test_labels = features_and_labels(backbone, test, batch_size, limit)
    counts = len(train_labels), len(test_labels)
    rate = sum(counts) / (time.perf_counter() - start)
    print(f"{counts[0]} training images, {counts[1]} test images, {rate:.0f} images/s", flush=True)
    accuracies = {}
    for voters in k:
        accuracies[voters] = knn_accuracy(
            train_features, train_labels, test_features, test_labels, voters, temperature
        )
        top1, top5 = (100 * share for share in accuracies[voters])
        print(f"k={voters}: top-1 {top1:.2f} %, top-5 {top5:.2f} %", flush=True)
    return accuracies


def check(train, test, k, limit):
    """Raises, before minutes of embedding, what would be an error after them."""
    if train.labels is None or test.labels is None:
        raise ValueError(
            "Expected images with labels, in one sub-folder per class. Received images without."
        )
    voters = min(len(train), limit or len(train))
    for number in k:
        if not 1 <= number <= voters:
            raise ValueError(
                f"Expected --k from 1 to {voters}, the number of training images. "
                f"Received: k={number}"
            )


def features_and_labels(backbone, source, batch_size, limit):
    """Features `(N, D)` and labels `(N,)` of a source, or of `limit` of its images."""
    indices = np.sort(np.random.default_rng(0).permutation(len(source))[:limit])
    look = tf.function(lambda images: backbone(images)["features"], reduce_retracing=True)
    size = backbone.metadata.image_size
    features = embed(source, look, batch_size, size, center_crop=True, indices=indices)
    return features, np.asarray(source.labels)[indices]


def folder_sources(data_dir, channels, train_split="train", test_split=""):
    """Training and test images of a folder, with the same classes.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: the two have different classes.
    """
    data_dir = pathlib.Path(data_dir)
    if not data_dir.is_dir():
        raise FileNotFoundError(f"Expected --data_dir to be a folder. Received: {data_dir}")
    folders = [
        _folder(data_dir, [train_split]),
        _folder(data_dir, [test_split] if test_split else ["test", "val"]),
    ]
    train, test = (open_folder(folder, channels) for folder in folders)
    if train.class_names != test.class_names:
        differing = sorted(set(train.class_names or ()) ^ set(test.class_names or ()))
        raise ValueError(
            f"Expected the same class folders in {folders[0]} and {folders[1]}. Received "
            f"{len(differing)} that only one of them has: {', '.join(differing[:5])}"
        )
    return train, test


def _folder(data_dir, names):
    for name in names:
        if (data_dir / name).is_dir():
            return data_dir / name
    found = sorted(entry.name for entry in data_dir.iterdir() if entry.is_dir())
    raise FileNotFoundError(
        f"Expected {data_dir} to have a folder {' or '.join(names)}, with one sub-folder per class "
        f"in it. Received a folder with: {', '.join(found[:10]) or 'no folders'}. Name another one "
        "by --train_split or --test_split."
    )


if __name__ == "__main__":
    define_flags()
    command.run(main)
