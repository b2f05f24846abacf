"""What `--backbone` means to commands that look at images: from images to features."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from keras_adasim import backbones, export
from keras_adasim.files import expand
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess
from keras_adasim.pretraining.reopening import reopen
from keras_adasim.pretraining.results import ranged
from keras_adasim.pretraining.run_folder import RunFolder
from keras_adasim.validation import renamed

HELP = (
    "Folder of a run or an export; or hub:PRESET of KerasHub, or a preset's name, untrained. A "
    "run's newest checkpoint is taken."
)


@dataclasses.dataclass(frozen=True)
class Embedder:
    """A network that gives features.

    Attributes:
        embed: Function from (B, S, S, C) uint8 images to (B, D) features.
        image_size: Side S of the images in pixels.
        channels: Channels C of the images.
        value_range: Values of images with more than 8 bits that become 0 and 255, or None.
    """

    embed: Callable
    image_size: int
    channels: int
    value_range: tuple | None = None

    def prepare(self, source):
        """Makes a source map deep images as those that the network has learned from."""
        if source is not None and self.value_range is not None:
            source.value_range = self.value_range


def load_embedder(identifier):
    """Loads what `--backbone` names.

    Raises:
        FileNotFoundError: If there is no such folder, and no preset of that name.
        ValueError: If the folder holds neither a run nor an export.
    """
    expand(identifier, "backbone")
    folder = RunFolder(identifier) if expand(identifier).is_dir() else None
    if folder is not None and folder.finished_epochs:
        model = reopen(folder)
        crops = model.augment.crops
        known = ranged(folder.recall()["settings"].get("value_range", (0, 0)))
        return Embedder(model.embed, crops.global_size, model.augment.channels, **known)
    if folder is not None and folder.saved_model.is_dir():
        identifier = folder.saved_model
    if expand(identifier).is_dir() and (expand(identifier) / "saved_model.pb").exists():
        exported = export.load_backbone(identifier)
        look = tf.function(lambda images: exported(images)["features"], reduce_retracing=True)
        facts = exported.metadata
        return Embedder(look, facts.image_size, facts.channels, facts.value_range)
    with renamed(identifier="backbone"):
        backbone = backbones.get(identifier)
    size, channels = backbone.image_size, backbone.inputs[0].shape[-1]

    @tf.function(reduce_retracing=True)
    def look(images):
        images = preprocess(images, size, IMAGENET_MEAN, IMAGENET_STD)
        return backbone(images, training=False)["features"]

    return Embedder(look, size, channels)
