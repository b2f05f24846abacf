"""`keras-adasim few_labels`: what a few labels of every class are enough for."""

import dataclasses
import json
import math

import numpy as np
from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import load_pretrained
from keras_adasim.commands.finetune import CountSteps
from keras_adasim.commands.protocol import IMAGES, define, open_images, open_protocol, with_test
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.evaluation.few_labels import (
    check_two_classes,
    class_balanced_subset,
    logistic_regression,
    subset_per_class,
)
from keras_adasim.evaluation.finetune import finetune
from keras_adasim.files import write_file
from keras_adasim.validation import check_integer, check_number

DESCRIPTION = f"""
Accuracy of a logistic regression on frozen features, learned from few labels:

    keras-adasim few_labels --backbone=runs/photos --data_dir=cifar10 --share=0.01 --per_class=5

Subsets have the same number of images of every class, drawn by --seed; which images they are is
saved in --out. The regularization is chosen on a fifth of the subset, never by the test images.
With --finetune the whole network is trained on each subset too, as by `keras-adasim finetune`; the
last epoch counts, since no label is spared to choose one. What is tuned sees whole images, resized
to a square.
{IMAGES}"""
SHARES = [0.01, 0.1]
# Of fine-tuning on each subset with --quick, some 16 images each.
QUICK_STEPS = 150


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
    text = "Train the whole network on each subset too, which takes minutes."
    flags.DEFINE_bool("finetune", False, text, **values_of)
    text = "Epochs of --finetune; chosen from the number of images by default."
    flags.DEFINE_integer("epochs", None, text, **values_of)


def start(values):
    """Evaluates with parsed flags."""
    counts = values.per_class or []
    shares = (values.share or []) if values.share or counts else SHARES
    for share in shares:
        check_number("share", share, above=0, maximum=1)
    for count in counts:
        check_integer("per_class", count)
    if values.epochs is not None:
        check_integer("epochs", values.epochs)
        if not values.finetune:
            raise ValueError("Expected `epochs` with --finetune alone. Received: --nofinetune")
    protocol = open_protocol("few_labels", values)
    train, test = with_test(*open_images(protocol), values.seed)
    _, sizes = np.unique(np.asarray(train.labels), return_counts=True)
    for count in counts:
        if small := np.count_nonzero(sizes < count):
            print(
                f"{count} per class: {small} of {len(sizes)} classes have fewer, down to "
                f"{sizes.min()}, of which all are taken"
            )
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
    tuned = fine_tuned(protocol, train, test, found) if protocol.settings["finetune"] else {}
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
        if tuned:
            rows[-1] += (percent(tuned[name].top1, tuned[name].standard_error),)
    print(f"{len(train)} training images, {len(test)} test images")
    header = ("subset", "images", "C", "top-1 %", *(["fine-tuned top-1 %"] if tuned else []))
    print(*table(header, rows), sep="\n", flush=True)
    save(protocol, train, test, found, regressions, tuned)
    return regressions


def fine_tuned(protocol, train, test, found):
    """Trains the whole network on each subset; the same start for all.

    Returns:
        Dict of the subset's name to a `FineTuning`.
    """
    settings, results = protocol.settings, {}
    epochs = settings["epochs"]
    pretrained = load_pretrained(settings["backbone"])
    for name, subset in found.items():
        print(f"fine-tuning on {name}, {len(subset)} images", flush=True)
        if settings["quick"] and settings["epochs"] is None:
            epochs = math.ceil(QUICK_STEPS * min(len(subset), 16) / len(subset))
        _, results[name] = finetune(
            pretrained.backbone,
            data.Subset(train, subset),
            test,
            validation=0,
            image_size=pretrained.image_size,
            mean=pretrained.mean,
            std=pretrained.std,
            value_range=pretrained.value_range,
            epochs=epochs,
            seed=settings["seed"],
            callbacks=[CountSteps()],
        )
    return results


def save(protocol, train, test, found, regressions, tuned):
    """Writes the results, and the images of each subset by key."""
    results = [
        {"subset": name, "images": len(found[name]), **dataclasses.asdict(regression)}
        for name, regression in regressions.items()
    ]
    for row in results if tuned else []:
        row["finetune"] = dataclasses.asdict(tuned[row["subset"]])
    if protocol.out is not None:
        keys = {name: [train.keys[i] for i in subset] for name, subset in found.items()}
        path = protocol.out / "few_labels_images.json"
        write_file(path, json.dumps(keys, indent=1) + "\n")
        print(f"written: {path}")
    protocol.save(results, {"train": train, "test": test})
