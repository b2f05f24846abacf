"""A trained KerasHub backbone as a preset that KerasHub loads."""

import dataclasses
import os

from keras_adasim.backbones.adapted_backbone import AdaptedBackbone
from keras_adasim.backbones.clone import clone_backbone
from keras_adasim.backbones.hub import require_keras_hub
from keras_adasim.backbones.hub_positions import keep_positions
from keras_adasim.export import network
from keras_adasim.export.deviation import LIMIT, check_deviation, example_images
from keras_adasim.export.folder import check_path, written_whole
from keras_adasim.finite import check_finite


def export_preset(model, path, mean=None, std=None, overwrite=False):
    """Writes a KerasHub backbone as a folder that `keras_hub.models.Backbone.from_preset` loads.

    Its image converter resizes and normalizes as the training did, so that KerasHub's tasks give
    the backbone what it learned from. The preset is read again and compared with the backbone, as
    `export_backbone` does.

    Args:
        model: `SelfDistillation`, whose teacher is exported, or a backbone; made from a KerasHub
            backbone by `backbones.get("hub:...")` or `backbones.adapt`.
        path: Folder to write.
        mean: C means of the channels, on the scale from 0 to 1; those of `model.augment` by
            default, else the backbone's. Without any, no image converter is written.
        std: C standard deviations, likewise.
        overwrite: Whether a preset that stands at `path` is replaced.

    Returns:
        The largest difference, a float, as a share of the largest value.

    Raises:
        FileExistsError: If `path` is taken and `overwrite` isn't set, or it holds no preset.
        ImportError: If keras-hub isn't installed.
        ValueError: If the backbone isn't KerasHub's.
        DeviationError: If the difference is above 1e-4; nothing is written or replaced then.
    """
    path = check_path(path, overwrite, marks=("config.json", "metadata.json"))
    check_finite(getattr(model, "teacher", model).weights, "the backbone to export")
    teacher = getattr(model, "teacher", model)
    keras_hub = require_keras_hub()
    inner = getattr(teacher, "backbone", None)
    if not isinstance(inner, keras_hub.models.Backbone):
        raise ValueError(
            "Expected `model` to have a backbone of KerasHub, adapted by "
            f"`backbones.get('hub:PRESET')`. Received: {type(inner or teacher).__name__}. Export "
            "other backbones with `export.export_backbone`."
        )
    # Made of the student's configuration: a teacher's dropout and drop path are switched off.
    preset = clone_backbone(getattr(model, "student", teacher).backbone)
    preset.set_weights(inner.get_weights())
    preset.trainable = True
    keep_positions(preset)
    augment = getattr(model, "augment", teacher)
    mean = getattr(augment, "mean", None) if mean is None else mean
    std = getattr(augment, "std", None) if std is None else std
    with written_whole(path) as folder:
        preset.save_to_preset(os.fspath(folder))
        if mean is not None and std is not None:
            converter = _converter(keras_hub, teacher.image_size, mean, std)
            converter.save_to_preset(os.fspath(folder))
        loaded = keras_hub.models.Backbone.from_preset(os.fspath(folder))
        net = network.of_model(model, teacher.image_size)
        read = AdaptedBackbone(loaded, teacher.image_size, teacher.num_prefix_tokens)
        read = dataclasses.replace(net, backbone=read)
        batches = example_images(net.channels, net.image_size)
        return check_deviation(net.look, read.look, batches, LIMIT, "preset", net.precision)


def _converter(keras_hub, image_size, mean, std):
    """KerasHub's layer from bytes to scale * bytes + offset."""
    return keras_hub.layers.ImageConverter(
        image_size=(image_size, image_size),
        scale=[1 / (255 * float(s)) for s in std],
        offset=[-float(m) / float(s) for m, s in zip(mean, std, strict=True)],
        crop_to_aspect_ratio=False,
        antialias=True,
    )
