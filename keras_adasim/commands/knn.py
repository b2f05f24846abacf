"""`keras-adasim knn`: k-NN accuracy of features on labeled images."""

from absl import flags

from keras_adasim.commands.protocol import IMAGES, define, open_images, open_protocol
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.evaluation import knn_accuracies, leave_one_out_accuracies, standard_error
from keras_adasim.validation import check_integer, check_number

DESCRIPTION = f"""
k-NN accuracy of a backbone on labeled images:

    keras-adasim knn --backbone=runs/photos --data_dir=cifar10 --k=10 --k=20

The images of train/ vote for the labels of those of test/; without a test set, each image's label
is voted for by all others. All k and temperatures come from one search.
{IMAGES}"""


def main(argv=None, program="knn"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone",))


def define_flags(values):
    """Defines the flags."""
    define(values)
    text = "Number of voters. Several times for several."
    flags.DEFINE_multi_integer("k", [20], text, flag_values=values)
    text = "Temperature of the votes. Several times for several."
    flags.DEFINE_multi_float("temperature", [0.07], text, flag_values=values)


def start(values):
    """Evaluates with parsed flags."""
    for temperature in values.temperature:
        check_number("temperature", temperature, above=0)
    for k in values.k:
        check_integer("k", k)
    protocol = open_protocol("knn", values)
    evaluate(protocol, *open_images(protocol), values.k, values.temperature)


def evaluate(protocol, train, test=None, k=(20,), temperatures=(0.07,)):
    """Prints one line per k and temperature.

    Args:
        protocol: `Protocol`.
        train: Labeled source whose images vote.
        test: Labeled source whose images are classified; None leaves one out of `train`.
        k: Numbers of voters.
        temperatures: Temperatures of the votes.

    Returns:
        Dict of `(k, temperature)` to `(top1, top5)`.
    """
    check_voters(k, len(train) - (test is None))
    features = protocol.features(train, "the training images")
    if test is None:
        print(f"{len(train)} images and no test set: each is classified by all others")
        accuracies = leave_one_out_accuracies(features, train.labels, k, temperatures)
    else:
        tests = protocol.features(test, "the test images")
        print(f"{len(train)} training images, {len(test)} test images")
        sets = features, train.labels, tests, test.labels
        accuracies = knn_accuracies(*sets, k, temperatures)
    classified = len(train if test is None else test)
    rows = [
        (voters, f"{temperature:g}", percent(top1, standard_error(top1, classified)), percent(top5))
        for (voters, temperature), (top1, top5) in accuracies.items()
    ]
    print(*table(("k", "temperature", "top-1 %", "top-5 %"), rows), sep="\n", flush=True)
    protocol.save(results(accuracies, classified, test is None), images(train, test))
    return accuracies


def check_voters(k, voters, where=""):
    """Raises ValueError, before minutes of embedding, for a k that would be an error after them."""
    for number in k:
        if not 1 <= number <= voters:
            raise ValueError(
                f"Expected `k` from 1 to {voters}, the number of images that can vote{where}. "
                f"Received: k={number}"
            )


def images(train, test):
    """The sources by name."""
    return {"train": train} if test is None else {"train": train, "test": test}


def results(accuracies, classified, leave_one_out):
    """A list of what came out, for JSON."""
    return [
        {
            "k": k,
            "temperature": temperature,
            "top1": top1,
            "top1_standard_error": standard_error(top1, classified),
            "top5": top5,
            "leave_one_out": leave_one_out,
        }
        for (k, temperature), (top1, top5) in accuracies.items()
    ]
