"""`keras-adasim transfer`: one table of a backbone on several data sets."""

import dataclasses

from absl import flags

from keras_adasim.commands.knn import check_voters
from keras_adasim.commands.protocol import IMAGES, define, open_images, open_protocol, with_test
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.evaluation import transfer_table
from keras_adasim.validation import check_integer, check_number

DESCRIPTION = f"""
k-NN and logistic regression on the features of several data sets, in one table:

    keras-adasim transfer --backbone=runs/photos --data_dir=cifar10 --data_dir=flowers

Data sets are folders, or names of TensorFlow Datasets (--tfds), any number of each. Where one has
no test images a fifth of every class is held out.
{IMAGES}"""


def main(argv=None, program="transfer"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone",))


def define_flags(values):
    """Defines the flags."""
    define(values, several=True)
    flags.DEFINE_integer("k", 20, "Number of voters.", flag_values=values)
    flags.DEFINE_float("temperature", 0.07, "Temperature of the votes.", flag_values=values)


def start(values):
    """Evaluates with parsed flags."""
    check_integer("k", values.k)
    check_number("temperature", values.temperature, above=0)
    protocol = open_protocol("transfer", values, several=True)
    names = [{"data_dir": path} for path in values.data_dir or ()]
    names += [{"tfds": name} for name in values.tfds or ()]
    sets = {}
    for place in names:
        (name,) = place.values()
        sets[name] = with_test(*open_images(protocol, **place), values.seed)
        check_voters([values.k], len(sets[name][0]), f" in {name}")
    evaluate(protocol, sets, values.k, values.temperature)


def evaluate(protocol, sets, k=20, temperature=0.07):
    """Prints one line per data set.

    Args:
        protocol: `Protocol`.
        sets: Dict of names to training and test source.
        k: Number of voters.
        temperature: Temperature of the votes.

    Returns:
        List of `transfer.Row`.
    """

    def features():
        for name, (train, test) in sets.items():
            trained = protocol.features(train, f"the training images of {name}")
            tested = protocol.features(test, f"the test images of {name}")
            yield name, trained, train.labels, tested, test.labels

    rows = transfer_table(features(), k, temperature, protocol.settings["seed"])
    cells = [
        (row.name, row.train, row.test, percent(row.knn, row.knn_standard_error))
        + (percent(row.logistic, row.logistic_standard_error), f"{row.strength:g}")
        for row in rows
    ]
    header = ("data set", "train", "test", "k-NN top-1 %", "logistic top-1 %", "C")
    print(*table(header, cells), sep="\n", flush=True)
    images = {
        f"{name}: {split}": source
        for name, both in sets.items()
        for split, source in zip(("train", "test"), both, strict=True)
    }
    protocol.save([dataclasses.asdict(row) for row in rows], images)
    return rows
