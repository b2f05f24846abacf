"""What an export is made of: a backbone, and what happens to its images."""

import dataclasses

import keras
import tensorflow as tf

from keras_adasim.backbones.clone import clone_backbone, trainable_clone
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.finite import check_finite
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess
from keras_adasim.validation import check_integer, check_per_channel

HALF = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class Network:
    """A backbone to be exported; made by `of_model`.

    Attributes:
        backbone: Built `keras.Model` from normalized images to `{"features", "tokens"}`.
        twin: The same, with the dropout and drop path of training: a teacher's are switched off.
        image_size: Side in pixels that images are resized to.
        mean: List of C means of the channels, on the scale from 0 to 1.
        std: List of C standard deviations.
        value_range: As for `export_backbone`.
    """

    backbone: keras.Model
    twin: keras.Model
    image_size: int
    mean: list
    std: list
    value_range: tuple | None = None

    @property
    def channels(self):
        """Channels C of the images."""
        return len(self.mean)

    @property
    def precision(self):
        """Type that it computes in, the least precise one of its layers."""
        types = {layer.compute_dtype for layer in sublayers(self.backbone)}
        return next((dtype for dtype in ("bfloat16", "float16") if dtype in types), "float32")

    def preprocess(self, images):
        """(B, H, W, C) images of any size, normalized: (B, S, S, C) float32."""
        return preprocess(images, self.image_size, self.mean, self.std, self.value_range)

    def look(self, images):
        """Dict of float32 tensors of images (B, H, W, C), the backbone's own."""
        outputs = self.backbone(self.preprocess(tf.convert_to_tensor(images)), training=False)
        return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

    def in_float32(self):
        """The network, computing in float32; itself where it does."""
        if self.precision == "float32":
            return self
        copy = clone_backbone(self.backbone, change=_without_half_precision)
        return dataclasses.replace(self, backbone=copy)

    def ready_for_training(self):
        """Copies the backbone into the state that fine-tuning wants; the original is left alone."""
        return trainable_clone(self.backbone, self.twin)


def _without_half_precision(config):
    """A model's configuration with float32 in the place of every half precision."""
    if isinstance(config, dict):
        return {name: _without_half_precision(value) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(map(_without_half_precision, config))
    return "float32" if isinstance(config, str) and config in HALF else config


def of_model(model, image_size, mean=None, std=None, value_range=None):
    """The `Network` of a model, if it can be exported.

    Args:
        model: As for `export_backbone`.
        image_size: The same.
        mean: The same.
        std: The same.
        value_range: The same.

    Raises:
        ValueError: If `model` is no backbone, or another argument doesn't fit.
        NotFiniteError: If a weight is NaN or infinite.
    """
    backbone = getattr(model, "teacher", model)
    _check_backbone(backbone)
    check_finite(backbone.weights, "the backbone to export")
    image_size = check_integer("image_size", image_size)
    mean, std = _normalization(model, backbone, mean, std)
    twin = getattr(model, "student", backbone)
    return Network(backbone, twin, image_size, mean, std, value_range)


def _check_backbone(backbone):
    if not isinstance(backbone, keras.Model):
        raise ValueError(
            "Expected `model` to be a `SelfDistillation` or a backbone, a `keras.Model` from "
            f"normalized images to `features` and `tokens`. Received: model={backbone!r}. "
            "A fine-tuned model is exported with `model.export`."
        )
    outputs = getattr(backbone, "output", None)
    if not isinstance(outputs, dict) or "features" not in outputs:
        raise ValueError(
            "Expected `model` to give a dictionary with `features`. Received a model "
            f"that gives {outputs!r}. Wrap it with `keras_adasim.backbones.adapt`."
        )


def _normalization(model, backbone, mean, std):
    """Means and standard deviations as lists: given, of the augmentation, or ImageNet's."""
    known = getattr(model, "augment", backbone)
    mean, std = (
        getattr(known, name, None) if value is None else value
        for name, value in (("mean", mean), ("std", std))
    )
    mean = list(check_per_channel("mean", IMAGENET_MEAN if mean is None else mean))
    std = list(check_per_channel("std", IMAGENET_STD if std is None else std, above=0))
    channels = backbone.input_shape[-1] or len(mean)
    if not len(mean) == len(std) == channels:
        raise ValueError(
            f"Expected `mean` and `std` with one number for each of the {channels} channels of "
            f"the backbone's images. Received: mean={mean}, std={std}"
        )
    return mean, std
