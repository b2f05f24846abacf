"""A trained backbone in a folder, from which training goes on; no stranger's code is run.

An exported SavedModel is a program for inference and fine-tuning. Beside it stands the backbone
itself: its configuration and weights, in Keras' format.
"""

import json
import os
import re
import textwrap
import zipfile

import keras

from keras_adasim.backbones.hub import require_keras_hub
from keras_adasim.files import DAMAGED, check_unpacked, expand
from keras_adasim.validation import check_per_channel

FILE_NAME = "backbone.keras"
# What marks a SavedModel of `export_backbone`, and tells of the images it was made for.
METADATA_NAME = "keras_adasim.json"
RUNS_EXPORT = "saved_model"


def store_backbone(backbone, folder):
    """Writes a backbone's configuration and weights into a folder.

    A backbone of classes that Keras doesn't know, or of a `Lambda` of Python code, can't be
    rebuilt elsewhere: nothing is written for it.

    Args:
        backbone: `keras.Model`.
        folder: Existing folder.

    Returns:
        `None`, or why nothing was written.
    """
    path = expand(folder) / FILE_NAME
    backbone.save(path)
    try:
        keras.saving.load_model(path, compile=False)
    except (TypeError, ValueError) as error:
        path.unlink()
        return why_not_rebuilt(error)
    return None


def why_not_rebuilt(error):
    """What Keras says of a model that it can't load, in short."""
    unknown = re.search(r"Could not locate class '\w+'", str(error))
    return unknown[0] if unknown else textwrap.shorten(str(error), 200)


def is_stored_backbone(folder):
    """Whether a folder is a run of `pretrain` or an export of `export_backbone`."""
    return _export(folder) is not None


def load_stored_backbone(folder):
    """Rebuilds the trained backbone of a run or an export, trainable, with its weights.

    Args:
        folder: Folder of a run (it holds `saved_model/`) or of an export.

    Returns:
        `keras.Model`, with attributes `mean` and `std` of the images it was trained on.

    Raises:
        ImportError: If it is a KerasHub backbone and keras-hub isn't installed.
        ValueError: If the folder has no backbone to go on from, or its file is damaged.
    """
    export = _export(folder)
    path, metadata = export / FILE_NAME, read_json(export / METADATA_NAME)
    if not path.is_file():
        _refuse(folder, metadata.get("not_stored_because"))
    try:
        check_unpacked(path)
        with zipfile.ZipFile(path) as archive:
            if b'"keras_hub' in archive.read("config.json"):
                require_keras_hub()
        backbone = keras.saving.load_model(path, compile=False)
    except DAMAGED as error:
        raise ValueError(
            f"Expected {os.fspath(path)!r} to hold a backbone of classes that Keras knows. "
            f"Received: {textwrap.shorten(str(error), 200)}. Import the module that registers "
            "its classes, or export it again: `keras-adasim export --backbone=RUN --out=FOLDER`."
        ) from error
    for name in ("mean", "std"):
        setattr(backbone, name, check_per_channel(name, metadata.get(name)))
    return backbone


def read_json(path):
    """Returns what a JSON file holds.

    Raises:
        ValueError: If it is damaged; the message names it.
    """
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"Expected a sound JSON file. Received: {os.fspath(path)!r}, {error}. Export the "
            "backbone again."
        ) from error


def _export(folder):
    """The export that a folder is or holds; `None` without one."""
    folder = expand(folder)
    for candidate in (folder, folder / RUNS_EXPORT):
        if all((candidate / name).is_file() for name in ("saved_model.pb", METADATA_NAME)):
            return candidate
    return None


def _refuse(folder, reason):
    why = (
        f"whose backbone can't be rebuilt ({reason}). Register its classes with "
        "`keras.saving.register_keras_serializable`, and export it again"
        if reason
        else "which was made before exports carried the backbone itself. Export it again"
    )
    raise ValueError(
        "Expected a run or an export that training can go on from. Received: "
        f"{os.fspath(folder)!r}, {why}: `keras-adasim export --backbone=RUN --out=FOLDER`."
    )
