"""`keras-adasim finetune`: a backbone becomes a classifier, in a file of its own."""

import dataclasses
import sys
import time

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import load_pretrained
from keras_adasim.commands.counting import Counting
from keras_adasim.commands.protocol import (
    Protocol,
    check_shared,
    define,
    open_images,
    settings_of,
    with_test,
)
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.evaluation.finetune import finetune
from keras_adasim.export import export_classifier
from keras_adasim.export.export_classifier import FILE_NAME, FOLDER_NAME, check_free
from keras_adasim.pretraining.devices import make_strategy
from keras_adasim.validation import check_integer, renamed

DESCRIPTION = """
Trains a backbone and a linear classifier on it with labels, from end to end:

    keras-adasim finetune --backbone=runs/photos --data_dir=cifar10 --out=classifier

What isn't given is chosen from the number and size of the images, and said with the reason. A tenth
of the training images is held out and chooses the epoch; the test images only tell how good that
one is. The folder of the data holds train/ and test/ (or val/), each with one sub-folder per class,
or the classes themselves: a fifth of every class is the test set then. The classifier sees whole
images, resized to a square. --out gets classifier.keras, for `keras.saving.load_model` after
`import keras_adasim` (of a backbone of KerasHub or keras.applications without even that),
classifier/, a SavedModel for plain TensorFlow, and finetune.json. Both take images of any size and
give logits. The backbone's own folder is needed no more.
"""
SETTINGS = {
    "epochs": ("integer", "Passes over the training images."),
    "learning_rate": ("float", "Rate for 256 images a step, which scales it."),
    "layer_decay": ("float", "Factor of the rate from one block to the one before it; 1 for none."),
    "weight_decay": ("float", "AdamW's, of kernels."),
    "warmup_epochs": ("integer", "Epochs in which the rate rises."),
    "mixup": ("float", "Parameter of mixup's beta distribution; 0 for none."),
    "cutmix": ("float", "Parameter of CutMix's beta distribution; 0 for none."),
    "label_smoothing": ("float", "Share of every label that is spread over all classes."),
    "drop_path": ("float", "Probability of leaving a branch of the last block out; 0 for none."),
    "crop_scale": ("float", "Smallest share of the area of an image that a crop has."),
}
# What --quick may take, of training and of looking at test images.
QUICK_SECONDS, QUICK_EPOCHS = 60, 10


def main(argv=None, program="finetune"):
    """Reads the flags and trains."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone", "out"))


def define_flags(values):
    """Defines the flags."""
    define(values, batch_size=None, batch_help="Images of a step, over all devices.")
    for name, (kind, text) in SETTINGS.items():
        define_one = flags.DEFINE_integer if kind == "integer" else flags.DEFINE_float
        define_one(name, None, f"{text} Chosen by default.", flag_values=values)
    text = "Share of every class that is held out to choose the epoch by; 0 takes the last one."
    flags.DEFINE_float("validation", 0.1, text, flag_values=values)
    text = "Side in pixels of what the backbone gets to see; the one it was trained on by default."
    flags.DEFINE_integer("image_size", None, text, flag_values=values)
    text = "Devices to train on; 0 for all GPUs, else one CPU."
    flags.DEFINE_integer("devices", 0, text, flag_values=values)
    text = "Replace an earlier classifier in --out."
    flags.DEFINE_bool("overwrite", False, text, flag_values=values)


def start(values):
    """Trains with parsed flags."""
    out = check_shared(values, integers=("epochs", "image_size"))
    check_integer("devices", values.devices, minimum=0)
    with renamed(path="out"):
        check_free(out, values.overwrite)
    strategy = make_strategy(values.devices, "mirrored")
    keras.utils.set_random_seed(values.seed)  # Of a network without weights of its own.
    try:
        with strategy.scope():
            pretrained = load_pretrained(values.backbone)
            protocol = Protocol("finetune", pretrained, None, out, settings_of(values))
            train, test = with_test(*open_images(protocol), values.seed)
            classifier, result = train_classifier(protocol, train, test)
        needs_import = export_classifier(classifier, out, values.overwrite)
    except KeyboardInterrupt:
        print("stopped; no classifier was written", file=sys.stderr)
        raise
    tell(result)
    told = {**dataclasses.asdict(result), "classes": classifier.class_names}
    protocol.save(told, {"train": train, "test": test})
    how = "with `import keras_adasim`" if needs_import else "with Keras alone"
    print(f"written: {out / FILE_NAME}, which loads {how}, and {out / FOLDER_NAME}")


def train_classifier(protocol, train, test):
    """Trains, and says how far it is.

    Args:
        protocol: `Protocol` of a `Pretrained`.
        train: Labeled source.
        test: Labeled source.

    Returns:
        What `evaluation.finetune.finetune` does.
    """
    given = {name: protocol.settings[name] for name in (*SETTINGS, "batch_size", "image_size")}
    pretrained = protocol.backbone
    if pretrained.is_new:
        print(f"{protocol.settings['backbone']} is a new network: it is trained from the start")
    if protocol.settings["quick"]:
        train, test, epochs = less_of(protocol, train, test)
        given["epochs"] = epochs if given["epochs"] is None else given["epochs"]
    if given["image_size"] is None:
        given["image_size"] = pretrained.image_size
    return finetune(
        pretrained.backbone,
        train,
        test,
        validation=protocol.settings["validation"],
        mean=pretrained.mean,
        std=pretrained.std,
        value_range=pretrained.value_range,
        seed=protocol.settings["seed"],
        callbacks=[CountSteps()],
        say=say,
        **given,
    )


def less_of(protocol, train, test):
    """Fewer images and epochs, as many as --quick has time for on this machine."""
    pretrained = protocol.backbone
    size = protocol.settings["image_size"] or pretrained.image_size
    images = np.zeros((8, size, size, pretrained.channels), np.float32)
    look = tf.function(lambda x: pretrained.backbone(x, training=False)["features"])
    look(images)
    begin = time.monotonic()
    look(images)
    seconds = (time.monotonic() - begin) / len(images)
    # Forward, backward, and the crops.
    looks = int(QUICK_SECONDS / (4 * seconds))
    seed, classes = protocol.settings["seed"], len(np.unique(train.labels))
    train = _some(train, max(looks, 4 * classes), seed)
    test = _some(test, max(looks, 100), seed)
    epochs = max(1, min(QUICK_EPOCHS, looks // len(train)))
    print(f"--quick: {len(train)} training images, {len(test)} test images and {epochs} epochs")
    return train, test, epochs


def _some(source, number, seed):
    """At most so many images of a source."""
    if number >= len(source):
        return source
    order = np.random.default_rng(seed).permutation(len(source))
    return data.Subset(source, np.sort(order[:number]))


def say(line):
    """Prints a line, in a terminal over the count."""
    print(f"\r\x1b[K{line}" if sys.stdout.isatty() else line, flush=True)


class CountSteps(keras.callbacks.Callback):
    """Says how far the training is."""

    async_safe = True

    def on_train_begin(self, logs=None):
        """Begins to count."""
        steps = self.params["epochs"] * self.params["steps"]
        self.counting = Counting("training", steps, unit="steps")

    def on_train_batch_end(self, batch, logs=None):
        """Counts a step."""
        self.counting.add(1)


def tell(result):
    """Prints what came out."""
    images = result.images
    print(
        f"{images['train']} training, {images['validation']} validation and {images['test']} test "
        "images"
    )
    validation = "-" if result.validation is None else percent(result.validation)
    row = result.best_epoch, validation, percent(result.top1, result.standard_error)
    header = ("epoch", "validation top-1 %", "top-1 %", "top-5 %")
    print(*table(header, [(*row, percent(result.top5))]), sep="\n", flush=True)
