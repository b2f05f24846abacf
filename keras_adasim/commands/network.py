"""What `--backbone` means to commands that look at images of several sizes: the network itself.

A SavedModel resizes every image to one square. So an export is read from the `backbone.keras`
beside it.
"""

import dataclasses
import functools
import math
import pathlib

import keras
import numpy as np
import tensorflow as tf

from keras_adasim import backbones
from keras_adasim.backbones.stored_backbone import load_stored_backbone
from keras_adasim.evaluation.feature_cache import weights_fingerprint
from keras_adasim.export.metadata import Metadata
from keras_adasim.files import expand
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, standardize
from keras_adasim.pretraining.reopening import reopen
from keras_adasim.pretraining.results import ranged
from keras_adasim.pretraining.run_folder import RunFolder
from keras_adasim.validation import renamed


@dataclasses.dataclass(frozen=True)
class Network:
    """A backbone, and the images that it wants.

    Attributes:
        backbone: `keras.Model` from normalized images to `{"features", "tokens"}`.
        image_size: Side of the images in pixels that it has learned from.
        mean: C means that images are normalized with, on the scale from 0 to 1.
        std: C standard deviations.
        value_range: Values of images with more than 8 bits that become 0 and 255, or None.
        folder: Folder of the run or the export, beside which features are kept; else None.
    """

    backbone: keras.Model
    image_size: int
    mean: tuple
    std: tuple
    value_range: tuple | None = None
    folder: pathlib.Path | None = None

    @property
    def channels(self):
        """Channels C of the images."""
        return len(self.mean)

    @functools.cached_property
    def fingerprint(self):
        """Hexadecimal digits that depend on all weights and on the normalization."""
        normalized = tuple(map(float, self.mean)), tuple(map(float, self.std)), self.value_range
        return weights_fingerprint(self.backbone.variables, self.image_size, *normalized)

    @property
    def fixed_size(self):
        """The only side of images that the backbone takes, or None."""
        return self.backbone.input_shape[1]

    @functools.cached_property
    def patch_side(self):
        """Side in pixels of the square that a patch token stands for; None without such tokens."""
        count = self._tokens(self.image_size, self.image_size)
        side = math.isqrt(count)
        return math.ceil(self.image_size / side) if side and side**2 == count else None

    def _tokens(self, height, width):
        """How many patch tokens an image has, by looking at a black one."""
        images = tf.zeros((1, height, width, self.channels))
        outputs = self.backbone(images, training=False)
        return outputs["tokens"].shape[1] if "tokens" in outputs else 0

    def prepare(self, source):
        """Makes a source map deep images as those that the network has learned from."""
        if self.value_range is not None:
            source.value_range = self.value_range

    @functools.cached_property
    def _outputs(self):
        spec = tf.TensorSpec((None, *self.backbone.input_shape[1:3], self.channels), tf.uint8)

        @functools.partial(tf.function, input_signature=[spec], autograph=False)
        def outputs(images):
            images = standardize(tf.cast(images, tf.float32) / 255.0, self.mean, self.std)
            found = self.backbone(images, training=False)
            return {name: tf.cast(each, tf.float32) for name, each in found.items()}

        return outputs

    def look(self, images):
        """Looks at images as they are, without resizing them.

        Args:
            images: (B, H, W, C) uint8 tensor, of sides that `check_sides` takes.

        Returns:
            float32 `{"features": (B, D), "tokens": (B, h, w, D)}`, no tokens if there are none.
        """
        outputs = dict(self._outputs(images))
        if self.patch_side is None:
            outputs.pop("tokens", None)
        else:
            grid = [side // self.patch_side for side in images.shape[1:3]]
            shape = (len(images), *grid, outputs["tokens"].shape[-1])
            outputs["tokens"] = tf.reshape(outputs["tokens"], shape)
        return outputs

    def check_sides(self, height, width, name="image_size"):
        """Raises ValueError, before minutes of work, for a size that the backbone can't take.

        Args:
            height: Integer, of an image in pixels.
            width: Integer.
            name: Name of the argument that it comes from, for the error.
        """
        received = f"Received: {name}={height}"
        received += "" if height == width else f", images of {height} x {width} pixels"
        fixed, side = self.fixed_size, self.patch_side or 1
        if fixed and (height, width) != (fixed, fixed):
            raise ValueError(
                f"Expected `{name}` to be {fixed}, the only size that the backbone takes. "
                f"{received}"
            )
        if height % side or width % side or not min(height, width):
            raise ValueError(
                f"Expected `{name}` to be a multiple of {side}, the side of the backbone's "
                f"patches. {received}"
            )
        try:
            count = self._tokens(height, width)
        except (ValueError, tf.errors.OpError) as error:
            text = str(error).splitlines()[0]
            raise ValueError(
                f"Expected `{name}` that the backbone takes. {received}, at which it fails: {text}"
            ) from error
        if self.patch_side and count != (height // side) * (width // side):
            raise ValueError(
                f"Expected `{name}` at which the backbone gives one token for each {side} x {side} "
                f"pixels. {received}, at which it gives {count}"
            )

    def check_tokens(self):
        """Raises ValueError unless there are patch tokens that make a grid."""
        if self.patch_side is None:
            raise ValueError(
                "Expected `backbone` to give patch tokens that make a square grid. Received: one "
                "that gives none"
            )

    def default_size(self, official):
        """DINO's size for images of 224 pixels, in proportion to what the backbone has learned.

        Args:
            official: The size that DINO's protocol has.
        """
        return self.fixed_size or self.rounded(official * self.image_size / 224)

    def rounded(self, side):
        """The nearest number of pixels that is made of whole patches, at least one."""
        patch = self.patch_side or 1
        return max(1, round(side / patch)) * patch


def load_network(identifier):
    """Loads what `--backbone` names.

    Args:
        identifier: As for `load_embedder`.

    Returns:
        A `Network`.

    Raises:
        FileNotFoundError: If there is no such folder, and no preset of that name.
        ValueError: If the folder holds neither a run nor an export, or an export from which the
            backbone can't be rebuilt.
    """
    expand(identifier, "backbone")
    folder = RunFolder(identifier) if expand(identifier).is_dir() else None
    if folder is not None and folder.finished_epochs:
        return _of_run(folder)
    for path in () if folder is None else (folder.saved_model, folder.path):
        if (path / "saved_model.pb").exists():
            return _of_export(path, folder.path)
    with renamed(identifier="backbone"):
        backbone = backbones.get(identifier)
    mean, std = (
        known if (known := getattr(backbone, name, None)) is not None else default
        for name, default in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD))
    )
    return Network(backbone, backbone.image_size, tuple(mean), tuple(std))


def _of_run(folder):
    """The teacher of a run's newest checkpoint."""
    model = reopen(folder)
    augment = model.augment
    known = ranged(folder.recall()["settings"].get("value_range", (0, 0)))
    normalization = tuple(np.ravel(augment.mean)), tuple(np.ravel(augment.std))
    size = augment.crops.global_size
    return Network(model.teacher, size, *normalization, folder=folder.path, **known)


def _of_export(path, folder):
    """The backbone that a SavedModel was made of."""
    facts = Metadata.read(path)
    backbone = load_stored_backbone(path)
    known = None if facts.value_range is None else tuple(facts.value_range)
    return Network(backbone, facts.image_size, tuple(facts.mean), tuple(facts.std), known, folder)
