"""Backbones of KerasHub's presets."""

import difflib
import importlib
import importlib.util
import inspect
import json
import os
import textwrap

from keras_adasim.backbones.adapt import adapt
from keras_adasim.files import expand

PREFIX = "hub:"


def require_keras_hub():
    """Returns the module `keras_hub`, an optional dependency.

    Raises:
        ImportError: If it isn't installed.
    """
    if importlib.util.find_spec("keras_hub") is None:
        raise ImportError(
            "KerasHub's backbones need the package keras-hub. Received: none installed. Install "
            "it with `pip install 'keras-adasim[hub]'`."
        )
    return importlib.import_module("keras_hub")


def is_hub_preset(folder):
    """Whether a folder holds a model that KerasHub's `save_to_preset` wrote."""
    path = expand(folder) / "config.json"
    if not path.is_file():
        return False
    try:
        config = json.loads(path.read_text())
    except ValueError:
        return False
    return isinstance(config, dict) and "registered_name" in config


def load_hub_preset(preset, image_size=None, channels=None, **arguments):
    """Loads a pretrained image backbone of KerasHub and adapts it.

    Args:
        preset: Name of a preset (`dinov2_small`), a handle (`hf://...`, `kaggle://...`), or the
            folder of one.
        image_size: Side of the images in pixels; by default that of the preset. Another one is
            for backbones whose weights fit any, such as DINOv2's and DINOv3's.
        channels: Channels of the images that are expected; `None` takes the preset's.
        **arguments: Further ones of the backbone's constructor, such as `drop_path_rate`.

    Returns:
        `AdaptedBackbone`; its `mean` and `std` are those of the preset's image converter, or
        `None` where it has none.

    Raises:
        ImportError: If keras-hub isn't installed.
        ValueError: If there is no such preset or it can't be fetched, if it is no image backbone,
            or if an argument doesn't fit it.
    """
    keras_hub = require_keras_hub()
    preset = _resolve(keras_hub, preset)
    backbone = _load(keras_hub, preset)
    _check_images(preset, backbone, channels)
    _check_arguments(preset, backbone, arguments)
    arguments |= _image_shape(preset, backbone, image_size)
    if arguments:
        backbone = _load(keras_hub, preset, **arguments)
    _check_drop_path(keras_hub, preset, backbone)
    mean, std = _normalization(keras_hub, preset, backbone.inputs[0].shape[-1])
    return adapt(backbone, image_size, mean=mean, std=std)


def _resolve(keras_hub, preset):
    """The preset as KerasHub wants it; names that can't be an image backbone's are refused."""
    folder = expand(preset)
    if folder.is_dir():
        return os.fspath(folder)
    known = keras_hub.models.Backbone.presets
    if "://" in preset or preset in keras_hub.layers.ImageConverter.presets:
        return preset
    if preset in known:
        raise ValueError(
            f"Expected a KerasHub preset of an image backbone. Received: {PREFIX}{preset}, which "
            "is one for text or audio."
        )
    close = difflib.get_close_matches(preset, known, n=1)
    raise ValueError(
        f"Expected `{PREFIX}` with a preset of KerasHub or the folder of one. Received: "
        f"{PREFIX}{preset}, which is neither."
        + (f" Did you mean {PREFIX}{close[0]}?" if close else "")
    )


def _load(keras_hub, preset, **arguments):
    try:
        return keras_hub.models.Backbone.from_preset(preset, **arguments)
    except (OSError, ValueError, TypeError) as error:
        options = ", ".join(f"{name}={value}" for name, value in arguments.items())
        raise ValueError(
            f"Expected a KerasHub preset that can be loaded{' with ' * bool(options)}{options}. "
            f"Received: {PREFIX}{preset}, which gave {type(error).__name__}: "
            f"{textwrap.shorten(str(error), 200)}. Check the name, the network, or the folder."
        ) from error


def _check_images(preset, backbone, channels):
    shapes = [tuple(tensor.shape) for tensor in backbone.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ValueError(
            "Expected a KerasHub preset of an image backbone, with one input (B, H, W, C). "
            f"Received: {PREFIX}{preset}, a {type(backbone).__name__} with inputs {shapes}."
        )
    if channels not in (None, shapes[0][-1]):
        raise ValueError(
            f"Expected `channels` to be {shapes[0][-1]}, as {PREFIX}{preset} was pretrained on "
            f"such images. Received: channels={channels}"
        )


def _check_arguments(preset, backbone, arguments):
    known = inspect.signature(type(backbone).__init__).parameters
    for name, value in arguments.items():
        if name not in known or name == "self":
            raise ValueError(
                f"Expected arguments that {type(backbone).__name__} takes. Received: "
                f"{name}={value!r} for {PREFIX}{preset}. Leave it out."
            )


def _check_drop_path(keras_hub, preset, backbone):
    """The layer of KerasHub's DINOv2 (0.32) fails in training, and drops nothing where it runs."""
    if isinstance(backbone, keras_hub.models.DINOV2Backbone) and backbone.drop_path_rate:
        raise ValueError(
            "Expected `drop_path_rate` to be 0 for KerasHub's DINOv2, whose drop path fails in "
            f"training. Received: drop_path_rate={backbone.drop_path_rate} for {PREFIX}{preset}. "
            "Pass drop_path_rate=0."
        )


def _image_shape(preset, backbone, image_size):
    """The constructor's argument for images of another size than the preset's."""
    _, height, _, channels = backbone.inputs[0].shape
    if image_size is None or height in (None, image_size):
        return {}
    if "image_shape" not in inspect.signature(type(backbone).__init__).parameters:
        raise ValueError(
            f"Expected `image_size` to be {height}, the only size that {type(backbone).__name__} "
            f"takes. Received: image_size={image_size} for {PREFIX}{preset}"
        )
    return {"image_shape": (image_size, image_size, channels)}


def _normalization(keras_hub, preset, channels):
    """Mean and standard deviation on the scale from 0 to 1 of the preset's image converter."""
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(preset)
    except (OSError, ValueError):  # Many presets come without one.
        return None, None
    # It gives scale * bytes + offset.
    scale, offset = (
        _per_channel(value, default, channels)
        for value, default in ((converter.scale, 1.0), (converter.offset, 0.0))
    )
    std = tuple(1 / (255 * factor) for factor in scale)
    return tuple(-o * s for o, s in zip(offset, std, strict=True)), std


def _per_channel(value, default, channels):
    value = default if value is None else value
    return list(value) if isinstance(value, list | tuple) else [float(value)] * channels
