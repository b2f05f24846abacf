"""`keras-adasim linear`: linear classifiers on frozen features, the best of a sweep."""

import math

import numpy as np
import tensorflow as tf
from absl import flags

from keras_adasim import data
from keras_adasim.commands.counting import Counting
from keras_adasim.commands.protocol import IMAGES, define, open_images, open_protocol, with_test
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.evaluation import LinearProbe, augmented_batches, standard_error
from keras_adasim.evaluation.linear import LEARNING_RATES, batches_of, parts_of_blocks
from keras_adasim.evaluation.splits import stratified_split
from keras_adasim.validation import check_integer, check_number

DESCRIPTION = f"""
Accuracy of linear classifiers on the features of a frozen backbone:

    keras-adasim linear --backbone=runs/photos --data_dir=cifar10 --epochs=100
    keras-adasim linear --backbone=runs/photos --data_dir=cifar10 --cached

trains by SGD on random crops and flips, and looks at each batch once for a whole sweep: learning
rates, and of a Vision Transformer the class tokens of the last 1 and 4 blocks (--blocks), with and
without the mean patch token. A tenth of the training images, which is not trained on, says which of
all is best; the test images tell how good that one is. With --cached there are no crops and flips,
and an answer in seconds.
{IMAGES}"""
VALIDATION_SHARE = 0.1
QUICK_EPOCHS = 10


def main(argv=None, program="linear"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone",))


def define_flags(values):
    """Defines the flags."""
    define(values)
    for name, default, text in (
        ("learning_rate", list(LEARNING_RATES), "Rate for 256 images a batch, which scales it."),
        ("momentum", 0.9, "Momentum of SGD."),
    ):
        kind = flags.DEFINE_multi_float if isinstance(default, list) else flags.DEFINE_float
        kind(name, default, text, flag_values=values)
    text = f"Passes over the training images; {QUICK_EPOCHS} at most with --quick, if not --cached."
    flags.DEFINE_integer("epochs", 100, text, flag_values=values)
    text = "Of how many last blocks the class tokens are joined. Several times for several."
    flags.DEFINE_multi_integer("blocks", [1, 4], text, flag_values=values)
    text = "Join the mean patch token too, as a further part of the sweep."
    flags.DEFINE_bool("patches", True, text, flag_values=values)
    text = "Train on features of whole images, each computed once."
    flags.DEFINE_bool("cached", False, text, flag_values=values)


def start(values):
    """Evaluates with parsed flags."""
    for rate in values.learning_rate:
        check_number("learning_rate", rate, above=0)
    for number in values.blocks:
        check_integer("blocks", number)
    check_number("momentum", values.momentum, minimum=0, below=1)
    protocol = open_protocol("linear", values, integers=("epochs",))
    if last_blocks := protocol.backbone.last_blocks:
        parts_of_blocks(1, last_blocks, values.blocks)  # Before features are computed.
    train, test = with_test(*open_images(protocol), values.seed)
    evaluate(protocol, train, test)


class Look:
    """What of a backbone the classifiers see, as one vector for each image.

    Args:
        backbone: `Embedder`.
        blocks: Of how many last blocks the class tokens are joined.
        patches: Whether to join the mean patch token.

    Attributes:
        took: Name of what the vector is.
        parts: Function from its size to the parts of the sweep.
    """

    def __init__(self, backbone, blocks, patches):
        self.backbone, self.blocks = backbone, blocks
        self.patches = patches and backbone.last_blocks > 0
        self.took = "features"
        if backbone.last_blocks:
            self.took = f"class tokens of {backbone.last_blocks} blocks"
            self.took += " and mean patch token" if self.patches else ""

    def __call__(self, images):
        """(B, F) of uint8 images (B, S, S, C)."""
        if not self.backbone.last_blocks:
            return self.backbone.embed(images)
        class_tokens = self.backbone.class_tokens(images)
        vectors = [tf.reshape(class_tokens, (len(class_tokens), -1))]
        if self.patches:
            vectors.append(tf.reduce_mean(self.backbone.look(images)["tokens"], axis=1))
        return tf.concat(vectors, axis=1)

    def parts(self, size):
        """The parts of the sweep, for vectors of a size."""
        last_blocks = self.backbone.last_blocks
        if not last_blocks:
            return None
        token_dim = size // (last_blocks + self.patches)
        return parts_of_blocks(token_dim, last_blocks, self.blocks, self.patches)


def evaluate(protocol, train, test):
    """Trains the sweep and prints its table.

    Args:
        protocol: `Protocol`.
        train: Labeled source, of which a tenth is held out for the choice.
        test: Labeled source that is classified by the best.

    Returns:
        Dict of what came out.
    """
    flags = protocol.settings
    look = Look(protocol.backbone, flags["blocks"], flags["patches"])
    labels, test_labels = np.asarray(train.labels), np.asarray(test.labels)
    kept, held_out = stratified_split(labels, VALIDATION_SHARE, flags["seed"])
    if not len(held_out):
        raise ValueError(
            "Expected classes of two training images or more, of which a tenth is held out to "
            f"choose by. Received: `data_dir` with {len(train)} training images, one of each class"
        )
    tests = protocol.features(test, "the test images", None, look, look.took)
    cached = None
    if flags["cached"]:
        cached = protocol.features(train, "the training images", None, look, look.took)
    validation = (
        cached[held_out]
        if cached is not None
        else protocol.features(train, "the validation images", held_out, look, look.took)
    )
    shortened = flags["quick"] and cached is None
    epochs = min(flags["epochs"], QUICK_EPOCHS) if shortened else flags["epochs"]
    # Batches of crops go over the end of an epoch.
    passes, images = (epochs, len(kept)) if flags["cached"] else (1, epochs * len(kept))
    steps = passes * math.ceil(images / flags["batch_size"])
    rates = [rate * flags["batch_size"] / 256 for rate in flags["learning_rate"]]
    probe = LinearProbe(
        tests.shape[1],
        int(max(labels.max(), 1)) + 1,
        steps,
        rates,
        look.parts(tests.shape[1]),
        flags["momentum"],
        flags["seed"],
    )
    train_probe(probe, batches(protocol, train, kept, cached, epochs, look), steps)
    chosen = probe.accuracies(batches_of(validation, labels[held_out]))
    found = probe.accuracies(batches_of(tests, test_labels))
    print(f"{len(kept)} training, {len(held_out)} validation and {len(test)} test images")
    results = told(probe, chosen, found, flags["learning_rate"], len(test))
    protocol.save(results, {"train": train, "test": test})
    return results


def batches(protocol, train, kept, cached, epochs, look):
    """Batches of features and labels to train on, from memory or of crops and flips."""
    flags = protocol.settings
    if cached is not None:
        labels = np.asarray(train.labels)[kept]
        return batches_of(cached[kept], labels, flags["batch_size"], epochs, flags["seed"])
    size = protocol.backbone.image_size
    source = data.Subset(train, kept)
    protocol.backbone.prepare(source)
    images = augmented_batches(source, size, flags["batch_size"], epochs, flags["seed"])
    return ((look(crops), labels) for crops, labels in images)


def train_probe(probe, batches, steps):
    """Trains the sweep, and says how far it is."""
    with Counting("training", steps, unit="steps") as counting:
        for features, labels in batches:
            probe.train_step(features, labels)
            counting.add(1)


def told(probe, chosen, found, rates, number):
    """Prints the best classifier of every part, and the best of all; returns them for JSON."""
    name, place = probe.best(chosen)
    rows, sweep = [], []
    for part in probe.parts:
        own = probe.best({part: chosen[part]})[1]
        marked = f"{part} *" if part == name else part
        top1, top5 = found[part][own]
        shown = percent(top1, standard_error(top1, number)), percent(top5)
        rows.append((marked, f"{rates[own]:g}", percent(chosen[part][own, 0]), *shown))
        sweep += [
            {"part": part, "learning_rate": rate, "validation_top1": float(chosen[part][i, 0])}
            for i, rate in enumerate(rates)
        ]
    header = ("part", "learning rate", "validation top-1 %", "top-1 %", "top-5 %")
    print(*table(header, rows), "* chosen by the validation images", sep="\n", flush=True)
    top1, top5 = map(float, found[name][place])
    return {
        "part": name,
        "learning_rate": rates[place],
        "top1": top1,
        "top1_standard_error": standard_error(top1, number),
        "top5": top5,
        "sweep": sweep,
    }
