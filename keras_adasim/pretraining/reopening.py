"""A run's model again, from its folder alone."""

import os
import shutil
import tempfile
import uuid
import weakref

import tensorflow as tf

from keras_adasim import data
from keras_adasim.callbacks import Backup
from keras_adasim.checkpoints import Checkpoint, CheckpointFolder, DamagedError
from keras_adasim.checkpoints.checkpoint import NAME
from keras_adasim.pretraining import building, surroundings
from keras_adasim.pretraining.deciding import Decision
from keras_adasim.pretraining.run_folder import RunFolder


class NoImages(data.Source):
    """As many images as a run had, none of which can be read.

    Args:
        num_images: Number of images N.
        channels: Channels of the images.
    """

    def __init__(self, num_images, channels):
        self.num_images = num_images
        self.channels = channels
        self.labels = [0] * num_images

    def __len__(self):
        """Number of images."""
        return self.num_images

    def describe(self, index):
        """Names an image by its place."""
        return f"image {index} of the run"


def reopen(folder, checkpoint=None):
    """Rebuilds a run's model and loads its newest checkpoint, or another one.

    Args:
        folder: `RunFolder` of a run.
        checkpoint: A `Checkpoint` of it; the newest whole one by default.

    Returns:
        A compiled `SelfDistillation`, as it was after its last finished epoch.

    Raises:
        ValueError: If the run has no checkpoint yet, or needs what only its own process had: a
            backbone, an objective or an augmentation that is no setting.
    """
    earlier = folder.recall()
    if earlier is None:
        raise ValueError(
            "Expected `path` to be the folder of a run with a finished epoch. Received: "
            f"path={folder.path}, which has no checkpoint"
        )
    if earlier["augment"]:
        raise ValueError(
            "Expected `path` to be a run with our augmentation. Received: "
            f"path={folder.path}, which had {earlier['augment']}, known to its own process alone. "
            "Its `saved_model` has what it learned, once it is finished."
        )
    decision = Decision({}, earlier)
    with surroundings.of_a_run(decision["seed"], decision["precision"]):
        backup = Backup(folder.checkpoints)
        num_images = (checkpoint or backup.checkpoints.newest()).manifest["images"]
        source = NoImages(num_images, decision["channels"])
        window = window_files(folder)
        model, _ = building.build(source, tf.distribute.get_strategy(), decision, window)
        weakref.finalize(model, shutil.rmtree, window, ignore_errors=True)
        backup.restore(model, checkpoint)
    return model


def window_files(folder):
    """Path of a new folder: beside the checkpoints, whose files it can link, if that may be."""
    beside = folder.path if os.access(folder.path, os.W_OK) else tempfile.gettempdir()
    return os.path.join(beside, f".window-{uuid.uuid4().hex}")


def run_and_checkpoint(path, name):
    """What the folder of a run, or of one of its checkpoints, stands for.

    Args:
        path: A `pathlib.Path`.
        name: Of the argument, for errors.

    Returns:
        Tuple of the `RunFolder` and the `Checkpoint`, None for a run's own folder.

    Raises:
        ValueError: If a checkpoint isn't there, or not whole.
    """
    place = path.absolute()
    if place.parent.name != "checkpoints" or NAME.fullmatch(place.name) is None:
        return RunFolder(path), None
    checkpoint = Checkpoint(place)
    try:
        checkpoint.check()
    except DamagedError as error:
        there = [each.path.name for each in CheckpointFolder(place.parent).all()]
        raise ValueError(
            f"Expected `{name}` to be a whole checkpoint, one of {', '.join(there) or 'none'}. "
            f"Received: {name}={path}, with {error}"
        ) from error
    return RunFolder(place.parent.parent), checkpoint
