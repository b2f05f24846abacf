"""Any backbone by one name, for flags and settings."""

import difflib
import inspect
import os

import keras

from keras_adasim.backbones.adapt import adapt
from keras_adasim.backbones.hub import PREFIX, is_hub_preset, load_hub_preset
from keras_adasim.backbones.resnet_presets import resnet18_cifar, resnet50
from keras_adasim.backbones.stored_backbone import is_stored_backbone, load_stored_backbone
from keras_adasim.backbones.swin_presets import swin_tiny
from keras_adasim.backbones.vision_transformer_presets import (
    vit_base,
    vit_mini,
    vit_small,
    vit_tiny,
)
from keras_adasim.files import expand
from keras_adasim.validation import check_integer

PRESETS = {
    preset.__name__: preset
    for preset in (vit_mini, vit_tiny, vit_small, vit_base, resnet18_cifar, resnet50, swin_tiny)
}
# What every preset takes besides the settings in its signature.
COMMON_ARGUMENTS = ("name", "trainable", "dtype")


def get(identifier, image_size=None, channels=None, **arguments):
    """Returns a backbone: a model as it is, a new one, or a pretrained one with its weights.

    An existing folder that is a run, an export or a KerasHub preset goes before a preset's name.

    Args:
        identifier: One of
            - a `keras.Model`, adapted unless it gives a dictionary with "features";
            - a name of `PRESETS`, such as "vit_small": a new backbone with random weights;
            - "hub:PRESET", an image backbone of KerasHub, where PRESET is a name or a folder;
            - the folder of an earlier run, of an export, or of a KerasHub preset.
        image_size: Side of the images in pixels; by default the one that the backbone was made or
            trained for. Of a model or an export it changes nothing: a backbone of one size only
            refuses another.
        channels: Channels of the images; 3 by default for a new backbone, its own for a pretrained
            one, which refuses others.
        **arguments: Settings of a new backbone, such as `patch_size`, which its preset's signature
            names; of a KerasHub preset, arguments of its constructor.

    Returns:
        `keras.Model` from normalized images to `{"features", "tokens"}`. Those that know what
        their images were normalized with have `mean` and `std`, C numbers on the scale from 0 to 1.

    Raises:
        ImportError: If keras-hub is needed and not installed.
        ValueError: If `identifier` is none of these, or an argument doesn't fit it.

    Example:
        ```python
        backbone = ka.backbones.get("vit_mini", image_size=32, patch_size=8)
        features = backbone(np.zeros((2, 32, 32, 3), "float32"))["features"]  # (2, 96)
        ```
    """
    for name, value in (("image_size", image_size), ("channels", channels)):
        if value is not None:
            check_integer(name, value)
    if isinstance(identifier, keras.Model):
        _refuse_arguments(identifier.name, arguments)
        return _as_backbone(identifier, image_size)
    if not isinstance(identifier, str | os.PathLike) or not os.fspath(identifier):
        raise ValueError(
            "Expected `identifier` to be a backbone's name, a folder or a `keras.Model`. Received: "
            f"identifier={identifier!r}"
        )
    name = os.fspath(identifier)
    if name.startswith(PREFIX):
        preset = name.removeprefix(PREFIX)
        return load_hub_preset(preset, image_size, channels, **arguments)
    if is_stored_backbone(name):
        _refuse_arguments(name, arguments)
        return _stored(name, image_size, channels)
    if is_hub_preset(name):
        return load_hub_preset(name, image_size, channels, **arguments)
    if name in PRESETS:
        return _new(name, image_size, channels, arguments)
    raise ValueError(_unknown(name))


def _as_backbone(model, image_size):
    outputs = getattr(model, "output", None)
    if isinstance(outputs, dict) and "features" in outputs:
        _check_fixed_size(model.name, model, image_size)
        return model
    return adapt(model, image_size)


def _stored(folder, image_size, channels):
    backbone = load_stored_backbone(folder)
    _check_fixed_size(folder, backbone, image_size)
    known = backbone.input_shape[-1]
    if channels not in (None, known):
        raise ValueError(
            f"Expected `channels` to be {known}, as {folder!r} was trained on such images. "
            f"Received: channels={channels}"
        )
    return backbone


def _check_fixed_size(name, backbone, image_size):
    fixed = backbone.input_shape[1]
    if image_size is not None and fixed not in (None, image_size):
        raise ValueError(
            f"Expected `image_size` to be {fixed}, the only size that {name!r} takes. Received: "
            f"image_size={image_size}"
        )


def _new(name, image_size, channels, arguments):
    preset = PRESETS[name]
    settings = [
        parameter.name
        for parameter in inspect.signature(preset).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    unknown = {
        key: arguments[key] for key in arguments if key not in (*settings, *COMMON_ARGUMENTS)
    }
    _refuse_arguments(name, unknown, f"It takes {', '.join(settings)}.")
    sizes = {} if image_size is None else {"image_size": image_size}
    return preset(**sizes, channels=3 if channels is None else channels, **arguments)


def _refuse_arguments(name, arguments, takes="Its weights and sizes are its own."):
    if arguments:
        received = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ValueError(
            f"Expected only arguments that the backbone {name!r} takes. Received: {received}. "
            f"{takes}"
        )


def _unknown(name):
    folder = expand(name)
    tried = (
        f"The folder {os.fspath(folder)!r} is no run (it would hold saved_model/), no export (it "
        "would hold saved_model.pb and keras_adasim.json) and no KerasHub preset (config.json)."
        if folder.is_dir()
        else "There is no such folder."
    )
    close = difflib.get_close_matches(name, PRESETS, n=1)
    return (
        f"Expected `identifier` to be one of {', '.join(PRESETS)}, hub:PRESET (an image backbone "
        "of KerasHub, by name or folder), or the folder of a run or an export. Received: "
        f"identifier={name!r}. {tried}" + (f" Did you mean {close[0]!r}?" if close else "")
    )
