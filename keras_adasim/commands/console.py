"""`keras-adasim NAME --flag=value ...`: finds the command of that name and runs it."""

import importlib
import sys

from keras_adasim.commands.running import STATUSES
from keras_adasim.pretraining.settings import closest
from keras_adasim.version import __version__

COMMANDS = {
    "pretrain": "learn features from a folder of images, without labels",
    "launch": "start several workers of one `pretrain` on this machine, and keep them going",
    "check": "look at the files of a folder: kinds, sizes, and which are bad",
    "report": "one page about a run, or several side by side",
    "gallery": "images with their ranked neighbors, from a run or a SavedModel",
    "export": "write what a run or checkpoint has learned: SavedModel, KerasHub preset, PyTorch",
    "convert": "turn an official AdaSim, DINO or EsViT checkpoint into a SavedModel",
    "knn": "nearest-neighbor accuracy of features on labeled images",
    "linear": "accuracy of linear classifiers on frozen features, the best of a sweep",
    "few_labels": "accuracy with few labels, by logistic regression and by fine-tuning",
    "finetune": "train a backbone with labels, to a classifier in a file of its own",
    "transfer": "k-NN and logistic regression on several data sets, in one table",
    "retrieval": "images of what a query shows, ranked, as on the revisited Oxford and Paris",
    "copy_detection": "which images are copies of others, as on Copydays and DISC21",
    "video_segmentation": "objects followed through videos by their patches, as on DAVIS",
    "dense": "semantic segmentation by the nearest labeled patches",
    "doctor": "near-duplicates, leaks, outliers and bad images of a folder; what to label first",
    "embed": "write the features of a folder of images to a file",
}


def main(argv=None):
    """Runs the command that the first argument names; `keras-adasim` calls it.

    Args:
        argv: List of arguments without the program's name; those of the process by default.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("--help", "-h", "help"):
        print(overview())
    elif argv[0] == "--version":
        print(f"keras-adasim {__version__}")
    elif argv[0] in COMMANDS:
        module = importlib.import_module(f"keras_adasim.commands.{argv[0]}")
        module.main(argv[1:], program=f"keras-adasim {argv[0]}")
    else:
        print(
            f"keras-adasim: Expected a command, one of {', '.join(COMMANDS)}. "
            f"Received: {argv[0]!r}.{closest(argv[0], COMMANDS)}",
            file=sys.stderr,
        )
        sys.exit(2)


def overview():
    """All commands, and what their exit status means."""
    width = max(map(len, COMMANDS))
    commands = [f"  keras-adasim {name:{width}}  {text}" for name, text in COMMANDS.items()]
    statuses = [f"  {status:3}  {text}" for status, text in STATUSES.items()]
    return "\n".join(
        [
            f"keras-adasim {__version__}: self-supervised pretraining for Keras",
            "",
            *commands,
            "",
            "`keras-adasim NAME --help` tells the flags. Exit status:",
            "",
            *statuses,
        ]
    )
