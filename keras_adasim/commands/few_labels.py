"""`keras-adasim few_labels`: what a few labels of every class are enough for."""

import dataclasses
import json

import numpy as np
from absl import flags

from keras_adasim.commands.protocol import IMAGES, define, open_images, open_protocol, with_test
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.evaluation.few_labels import (
    check_two_classes,
    class_balanced_subset,
    logistic_regression,
    subset_per_class,
)
from keras_adasim.files import write_file
from keras_adasim.validation import check_integer, check_number

DESCRIPTION = f"""
Accuracy of a logistic regression on frozen features, learned from few labels:

    keras-adasim few_labels --backbone=runs/photos --data_dir=cifar10 --share=0.01 --per_class=5

Subsets have the same number of images of every class, drawn by --seed; which images they are is
saved in --out. The regularization is chosen on a fifth of the subset, never by the test images.
{IMAGES}"""
SHARES = [0.01, 0.1]


def main(argv=None, program="few_labels"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone",))


def define_flags(values):
    """Defines the flags."""
    define(values)
    text = f"Share of the training images; {SHARES} by default. Several times for several."
    values_of = {"flag_values": values}
    flags.DEFINE_multi_float("share", None, text, **values_of)
    text = "Images per class, besides. Several times for several."
    flags.DEFINE_multi_integer("per_class", None, text, **values_of)


def start(values):
    """Evaluates with parsed flags."""
    counts = values.per_class or []
    shares = (values.share or []) if values.share or counts else SHARES
    for share in shares:
        check_number("share", share, above=0, maximum=1)
    for count in counts:
        check_integer("per_class", count)
    protocol = open_protocol("few_labels", values)
    train, test = with_test(*open_images(protocol), values.seed)
    evaluate(protocol, train, test, subsets(train.labels, shares, counts, values.seed))


def subsets(labels, shares, counts, seed):
    """Indices of the images of each subset, by its name."""
    found = {f"{share:.4%}": class_balanced_subset(labels, share, seed) for share in shares}
    found = {name.rstrip("%").rstrip("0").rstrip(".") + "%": each for name, each in found.items()}
    return found | {f"{n} per class": subset_per_class(labels, n, seed) for n in counts}


def evaluate(protocol, train, test, found):
    """Prints one line per subset.

    Args:
        protocol: `Protocol`.
        train: Labeled source that the subsets are part of.
        test: Labeled source whose images are classified.
        found: Dict of a name to the indices of a subset.

    Returns:
        Dict of the name to a `Regression`.
    """
    check_two_classes("data_dir", np.asarray(train.labels))
    indices = np.unique(np.concatenate(list(found.values())))
    features = protocol.features(train, "the training images", indices)
    tests = protocol.features(test, "the test images")
    regressions, rows = {}, []
    for name, subset in found.items():
        rows_of = np.searchsorted(indices, subset)
        regression = logistic_regression(
            features[rows_of],
            np.asarray(train.labels)[subset],
            tests,
            test.labels,
            seed=protocol.settings["seed"],
        )
        regressions[name] = regression
        top1 = percent(regression.top1, regression.standard_error)
        rows.append((name, len(subset), f"{regression.strength:g}", top1))
    print(f"{len(train)} training images, {len(test)} test images")
    print(*table(("subset", "images", "C", "top-1 %"), rows), sep="\n", flush=True)
    save(protocol, train, test, found, regressions)
    return regressions


def save(protocol, train, test, found, regressions):
    """Writes the results, and the images of each subset by key."""
    results = [
        {"subset": name, "images": len(found[name]), **dataclasses.asdict(regression)}
        for name, regression in regressions.items()
    ]
    if protocol.out is not None:
        keys = {name: [train.keys[i] for i in subset] for name, subset in found.items()}
        path = protocol.out / "few_labels_images.json"
        write_file(path, json.dumps(keys, indent=1) + "\n")
        print(f"written: {path}")
    protocol.save(results, {"train": train, "test": test})
