"""`keras-adasim knn`: k-NN accuracy of features on labeled images."""

import time

import numpy as np
from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import HELP, load_embedder
from keras_adasim.commands.running import run
from keras_adasim.evaluation import embed, knn_accuracy
from keras_adasim.validation import check_integer, check_number

DESCRIPTION = """
k-NN accuracy of a backbone on labeled images:

    keras-adasim knn --backbone=runs/photos --data_dir=cifar10 --k=10 --k=20

The folder of the data holds train/ and test/ (or val/), each with one sub-folder per class. The
images of train/ vote for the labels of those of test/, as in DINO's evaluation: the central square
of an image whose shorter side is 256 / 224 of it; images that have the backbone's size already are
taken as they are.
"""


def main(argv=None, program="knn"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define, start, argv, required=("backbone",))


def define(values):
    """Defines the flags."""
    flags.DEFINE_string("backbone", None, HELP, flag_values=values)
    for name, text in (
        ("data_dir", "Folder with train/ and test/ or val/."),
        ("tfds", "TensorFlow Datasets' name of the data, instead of a folder."),
        ("tfds_dir", "Where TensorFlow Datasets has prepared it."),
        ("train_split", "Folder whose images vote, train by default."),
        ("test_split", "The one that is classified; test, else val."),
    ):
        flags.DEFINE_string(name, None, text, flag_values=values)
    flags.DEFINE_multi_integer("k", [20], "Number of voters.", flag_values=values)
    flags.DEFINE_float("temperature", 0.07, "Temperature of the votes.", flag_values=values)
    flags.DEFINE_integer("batch_size", 256, "Images embedded at a time.", flag_values=values)
    text = "Use so many images of each set, drawn once; 0 for all."
    flags.DEFINE_integer("limit", 0, text, flag_values=values)


def start(values):
    """Evaluates with parsed flags."""
    check_number("temperature", values.temperature, above=0)
    check_integer("limit", values.limit, minimum=0)
    check_integer("batch_size", values.batch_size)
    for k in values.k:
        check_integer("k", k)
    if bool(values.data_dir) == bool(values.tfds):
        raise ValueError(
            "Expected either `data_dir` or `tfds`. Received: "
            f"data_dir={values.data_dir}, tfds={values.tfds}"
        )
    backbone = load_embedder(values.backbone)
    if values.tfds:
        sources = data.tfds_splits(values.tfds, values.tfds_dir)
    else:
        sources = data.open_splits(
            values.data_dir,
            backbone.channels,
            train_split=values.train_split or "",
            test_split=values.test_split or "",
            require_test=True,
        )
    evaluate(
        backbone, *sources, values.k, values.temperature, values.batch_size, values.limit or None
    )


def evaluate(backbone, train, test, k=(20,), temperature=0.07, batch_size=256, limit=None):
    """Embeds both sources and prints one line per k.

    Args:
        backbone: An `Embedder`.
        train: Labelled source whose images vote.
        test: Labelled source whose images are classified.
        k: Numbers of voters.
        temperature: Temperature of the votes.
        batch_size: Images embedded at a time.
        limit: At most so many images of each source, drawn once; None for all.

    Returns:
        Dict of k to `(top1, top5)`.
    """
    check(train, test, k, limit)
    for source in (train, test):
        backbone.prepare(source)
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
    """Raises ValueError, before minutes of embedding, for what would be an error after them."""
    for source in (train, test):
        source.checked_labels()
    voters = min(len(train), limit or len(train))
    for number in k:
        if not 1 <= number <= voters:
            raise ValueError(
                f"Expected `k` from 1 to {voters}, the number of training images. "
                f"Received: k={number}"
            )


def features_and_labels(backbone, source, batch_size, limit):
    """Features (N, D) and labels (N,) of a source, or of `limit` of its images."""
    indices = np.sort(np.random.default_rng(0).permutation(len(source))[:limit])
    features = embed(
        source, backbone.embed, batch_size, backbone.image_size, center_crop=True, indices=indices
    )
    return features, np.asarray(source.labels)[indices]
