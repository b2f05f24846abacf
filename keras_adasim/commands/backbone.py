"""What `--backbone` means to commands that look at images: from images to features."""

import dataclasses
import pathlib
from collections.abc import Callable

import keras
import tensorflow as tf

from keras_adasim import backbones, export
from keras_adasim.backbones.clone import trainable_clone
from keras_adasim.backbones.stored_backbone import RUNS_EXPORT, load_stored_backbone
from keras_adasim.evaluation.feature_cache import weights_fingerprint
from keras_adasim.export.metadata import Metadata
from keras_adasim.files import expand
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess
from keras_adasim.pretraining.reopening import reopen, run_and_checkpoint
from keras_adasim.pretraining.results import ranged
from keras_adasim.validation import renamed

HELP = (
    "Folder of a run, of one of its checkpoints or of an export; or hub:PRESET of KerasHub, or a "
    "preset's name, untrained. A run's newest checkpoint is taken."
)
# As many as an export gives.
LAST_BLOCKS = 4


@dataclasses.dataclass(frozen=True)
class Embedder:
    """A network that gives features.

    Attributes:
        look: Function from (B, S, S, C) uint8 images to `{"features": (B, D)}`, and with it
            `"tokens": (B, P, D)` where the network has patch tokens.
        image_size: Side S of the images in pixels.
        channels: Channels C of the images.
        value_range: Values of images with more than 8 bits that become 0 and 255, or None.
        fingerprint: Hexadecimal digits that depend on all weights and on the normalization.
        folder: Folder of the run or the export, beside which features are kept; else None.
        last_blocks: Number n of last blocks whose class tokens there are; 0 without.
        class_tokens: Function from images to these, (B, n, D).
    """

    look: Callable
    image_size: int
    channels: int
    value_range: tuple | None = None
    fingerprint: str = ""
    folder: pathlib.Path | None = None
    last_blocks: int = 0
    class_tokens: Callable | None = None

    def embed(self, images):
        """Features (B, D) of uint8 images (B, S, S, C)."""
        return self.look(images)["features"]

    def prepare(self, source):
        """Makes a source map deep images as those that the network has learned from."""
        if source is not None and self.value_range is not None:
            source.value_range = self.value_range


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A network to train on.

    Attributes:
        backbone: Built `keras.Model` from normalized images to `{"features", ...}`, trainable.
        image_size: Side in pixels of the images that it was trained on.
        channels: Channels of the images, C.
        mean: C means that they were normalized with.
        std: C standard deviations.
        value_range: As of `Embedder`.
        is_new: Whether its weights are random.
    """

    backbone: keras.Model
    image_size: int
    channels: int
    mean: tuple
    std: tuple
    value_range: tuple | None = None
    is_new: bool = False

    prepare = Embedder.prepare

    @property
    def fingerprint(self):
        """Hexadecimal digits that depend on all weights and on the normalization."""
        normalized = self.image_size, self.mean, self.std, self.value_range
        return weights_fingerprint(self.backbone.variables, *normalized)


def load_pretrained(identifier):
    """Loads what `--backbone` names, to train on.

    Raises:
        FileNotFoundError: If there is no such folder, and no preset of that name.
        ValueError: If the folder holds neither a run nor an export, or an export of before it
            carried its backbone.
    """
    folder, checkpoint = _run_and_checkpoint(identifier)
    if folder is not None and folder.finished_epochs:
        model = reopen(folder, checkpoint)
        backbone = trainable_clone(model.teacher, model.student)
        known = ranged(folder.recall()["settings"].get("value_range", (0, 0)))
        size, augment = model.augment.crops.global_size, model.augment
        return _pretrained(backbone, size, augment.mean, augment.std, **known)
    exported = None
    if folder is not None:
        places = (folder.path / RUNS_EXPORT, folder.path)
        exported = next((path for path in places if (path / "saved_model.pb").exists()), None)
    if exported is not None:
        facts = Metadata.read(exported)
        backbone = load_stored_backbone(exported)
        known = {"value_range": facts.value_range}
        return _pretrained(backbone, facts.image_size, facts.mean, facts.std, **known)
    with renamed(identifier="backbone"):
        backbone = backbones.get(identifier)
    is_new = identifier in backbones.PRESETS and folder is None
    mean = getattr(backbone, "mean", None) or IMAGENET_MEAN
    std = getattr(backbone, "std", None) or IMAGENET_STD
    return _pretrained(backbone, backbone.image_size, mean, std, is_new=is_new)


def _pretrained(backbone, size, mean, std, **facts):
    mean, std = tuple(map(float, mean)), tuple(map(float, std))
    return Pretrained(backbone, size, len(mean), mean, std, **facts)


def load_embedder(identifier):
    """Loads what `--backbone` names.

    Raises:
        FileNotFoundError: If there is no such folder, and no preset of that name.
        ValueError: If the folder holds neither a run nor an export.
    """
    folder, checkpoint = _run_and_checkpoint(identifier)
    if folder is not None and folder.finished_epochs:
        return _of_run(folder, checkpoint)
    if folder is not None and folder.saved_model.is_dir():
        return _of_export(folder.saved_model, folder.path)
    if folder is not None and (folder.path / "saved_model.pb").exists():
        of_run = folder.path.name == RUNS_EXPORT and (folder.path.parent / "settings.json").exists()
        return _of_export(folder.path, folder.path.parent if of_run else folder.path)
    with renamed(identifier="backbone"):
        backbone = backbones.get(identifier)
    mean = getattr(backbone, "mean", IMAGENET_MEAN)
    std = getattr(backbone, "std", IMAGENET_STD)
    return _of_backbone(backbone, backbone.image_size, mean, std)


def _run_and_checkpoint(identifier):
    path = expand(identifier, "backbone")
    return run_and_checkpoint(path, "backbone") if path.is_dir() else (None, None)


def _of_run(folder, checkpoint):
    """The teacher of a run's newest checkpoint, or of another one."""
    model = reopen(folder, checkpoint)
    augment = model.augment
    known = ranged(folder.recall()["settings"].get("value_range", (0, 0)))
    facts = {**known, "folder": folder.path}
    size = augment.crops.global_size
    return _of_backbone(model.teacher, size, augment.mean, augment.std, **facts)


def _of_export(path, folder):
    """A SavedModel, whose features lie in a folder."""
    exported = export.load_backbone(path)
    facts = exported.metadata
    about = facts.image_size, facts.mean, facts.std, facts.value_range
    return Embedder(
        tf.function(exported, reduce_retracing=True, autograph=False),
        facts.image_size,
        facts.channels,
        facts.value_range,
        fingerprint(exported.adopted, *about),
        folder,
        facts.last_blocks,
        exported.intermediate_class_tokens if facts.last_blocks else None,
    )


def _of_backbone(backbone, size, mean, std, **facts):
    """A Keras model of normalized images."""

    @tf.function(reduce_retracing=True, autograph=False)
    def look(images):
        outputs = backbone(preprocess(images, size, mean, std), training=False)
        return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

    last_blocks = 0
    if hasattr(backbone, "intermediate_class_tokens"):
        last_blocks = min(LAST_BLOCKS, backbone.depth)

    @tf.function(reduce_retracing=True, autograph=False)
    def class_tokens(images):
        images = preprocess(images, size, mean, std)
        tokens = backbone.intermediate_class_tokens(images, last_blocks)
        return tf.cast(tf.stack(tokens, axis=1), tf.float32)

    marked = fingerprint(backbone.variables, size, mean, std, facts.get("value_range"))
    blocks = {"last_blocks": last_blocks, "class_tokens": class_tokens if last_blocks else None}
    return Embedder(look, size, len(mean), fingerprint=marked, **blocks, **facts)


def fingerprint(variables, size, mean, std, value_range):
    """Hexadecimal digits of a network and its normalization: those of a run are its export's."""
    normalized = [None if each is None else tuple(map(float, each)) for each in (mean, std)]
    deep = None if value_range is None else tuple(map(float, value_range))
    return weights_fingerprint(variables, int(size), *normalized, deep)
