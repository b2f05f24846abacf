"""Every setting of a run: what it configures, its default and what it means.

A setting is an argument of the thing that it configures, with that thing's default and the words of
its docstring: an objective's, a backbone's, an optimizer's, the crops'. It has the argument's name,
and is a keyword of `pretrain` and a flag of `keras-adasim pretrain` from there. Three rules:

- what a constructor counts in steps is set in epochs: `freeze_last_layer_epochs`;
- where two things have an argument of one name, `RENAMED` has the other's;
- what belongs to no constructor stands in `general_settings.GENERAL`.
"""

import dataclasses
import difflib
import inspect

import keras
import numpy as np
import tensorflow as tf

from keras_adasim import augment, backbones, layers, objectives, optimizers
from keras_adasim.docstrings import argument_help
from keras_adasim.pairing import AdaptiveWindow
from keras_adasim.pretraining.general_settings import (
    GENERAL,
    MACHINE,
    OPTIMIZERS,
    WEIGHTS,
    Setting,
)
from keras_adasim.validation import check_choice, check_integer, check_number

# The network that learns within minutes on a CPU.
SMALL_BACKBONE = "vit_mini"
AXES = ("backbone", "objective", "pairing")
RENAMED = {
    AdaptiveWindow: {"temperature": "sampling_temperature"},  # An objective's is `temperature`.
    optimizers.LARS: {"momentum": "optimizer_momentum"},  # The teacher's is `momentum`.
    optimizers.SGD: {"momentum": "optimizer_momentum"},
}
# Arguments that follow from other settings, or from the data.
DERIVED = ("num_images", "seed", "channels", "global_size", "learning_rate", "clipnorm")
DERIVED += ("name", "dtype", "chunk_size")
# Those of constructors that don't decide the weights.
ROLES = {"sharded": MACHINE}

# Integers that may be zero; all others are positive.
FROM_ZERO = (
    *("limit", "seed", "warmup_epochs", "devices", "num_local", "freeze_last_layer_epochs"),
    *("region_start_epoch", "warmup_teacher_temperature_epochs", "checkpoint_steps", "max_bad"),
    "knn_images",
)
POSITIVE, SHARE = {"above": 0}, {"minimum": 0, "maximum": 1}
# Of those numbers whose constructors have another name for them, or don't mind.
BOUNDS = {
    "learning_rate": POSITIVE,
    "max_hours": {"minimum": 0},
    "final_learning_rate": {"minimum": 0},
    "weight_decay": {"minimum": 0},
    "final_weight_decay": {"minimum": 0},
    "clipnorm": {"minimum": 0},
    "momentum": SHARE,
    "final_momentum": SHARE,
    "drop_path_rate": {"minimum": 0, "below": 1},
    "sampling_temperature": {"minimum": 0},
    "optimizer_momentum": {"minimum": 0, "below": 1},
    "teacher_temperature": POSITIVE,
    "warmup_teacher_temperature": POSITIVE,
    "knn_temperature": POSITIVE,
    "max_bad_share": SHARE,
}
# What else stands for a list, and for a word that may be a number, if it is a rate's.
ALSO = {tuple: (tuple, list, np.ndarray), str: (str, type(None))}
RATE = (str, int, float, type(None))

# The warm-up of a temperature that an objective takes as a schedule.
TEMPERATURE_WARMUP = {
    "warmup_teacher_temperature": (0.04, "Of the teacher's softmax in the first epoch."),
    "warmup_teacher_temperature_epochs": (0, "Epochs of that temperature's linear warm-up."),
}


def objectives_by_name():
    """Dict of each objective's name, that of its file, to its class."""
    classes = [getattr(objectives, name) for name in objectives.__all__]
    classes = [each for each in classes if inspect.isclass(each) and each.metric_names]
    return {each.__module__.rpartition(".")[2]: each for each in classes}


def owned_by(owner, configured):
    """Yields the settings of what a constructor or a preset's function configures.

    Args:
        owner: Its name, such as `"byol"`.
        configured: The class or function.
    """
    texts, renamed = argument_help(configured), RENAMED.get(configured, {})
    for name, parameter in inspect.signature(configured).parameters.items():
        name, default = renamed.get(name, name), parameter.default
        if name in DERIVED or name in GENERAL or not isinstance(default, int | float | str | tuple):
            continue
        text = texts.get(parameter.name, "").partition(". ")[0].rstrip(".") + "."
        if name.endswith(("_step", "_steps")):
            name = name.replace("_step", "_epoch")
            text = text.replace("step", "epoch")
        role = ROLES.get(name, WEIGHTS)
        owners, texts_of = {owner: default}, {owner: text}
        yield Setting(name, default, text, role=role, owners=owners, texts=texts_of)


def build_table():
    """All settings by name; those that several things own are one, with several defaults."""
    table = dict(GENERAL)
    for owner, configured in (
        *objectives_by_name().items(),
        *backbones.PRESETS.items(),
        *OPTIMIZERS.items(),
        ("", layers.NeighborBank),
        ("", AdaptiveWindow),  # The other pairings pass over them, to be compared with it.
        ("", augment.MultiCrop),
        ("", augment.DINOAugment),
    ):
        for setting in owned_by(owner, configured):
            known = table.get(setting.name)
            if known is not None and known.owners:
                setting = joined(known, setting)
            table[setting.name] = setting if owner else dataclasses.replace(setting, owners={})
    warm = table["teacher_temperature"].owners
    for name, (default, text) in TEMPERATURE_WARMUP.items():
        table[name] = Setting(name, default, text, owners=dict.fromkeys(warm, default))
    return table


def joined(first, second):
    """One setting of two that things of different kinds have under one name."""
    owners, texts = first.owners | second.owners, first.texts | second.texts
    return dataclasses.replace(first, owners=owners, texts=texts)


SETTINGS = build_table()


def applicable(axes):
    """The settings of a run with their defaults.

    Args:
        axes: Names of its objective, pairing, backbone and optimizer.

    Returns:
        Dict of name to default.
    """
    found = {}
    for name, setting in SETTINGS.items():
        if not setting.owners:
            found[name] = setting.default
        for axis in axes:
            if axis in setting.owners:
                found[name] = setting.owners[axis]
    return found


def check_axis(axis, value):
    """Returns the backbone or objective of a run, if it can be one.

    Raises:
        ValueError: If it is of another type, or an unknown objective. A backbone that is unknown
            is refused when it is built.
    """
    kind = keras.Model if axis == "backbone" else objectives.Objective
    if not isinstance(value, str | kind):
        raise ValueError(
            f"Expected `{axis}` to be a name or a `{kind.__name__}`. Received: {axis}={value!r}"
        )
    names = list(objectives_by_name())
    if axis == "objective" and isinstance(value, str) and value not in names:
        raise ValueError(
            f"Expected `objective` to be one of {', '.join(names)}, or an `Objective`. "
            f"Received: objective={value!r}.{closest(value, names)}"
        )
    if axis == "backbone" and value == "auto":
        return "vit_small" if tf.config.list_physical_devices("GPU") else SMALL_BACKBONE
    return value


def check_names(given, axes):
    """Raises ValueError if a setting is one of another method's.

    Args:
        given: Names of settings.
        axes: As for `applicable`.
    """
    known = applicable(axes)
    for name in given:
        if name not in known:
            owners = ", ".join(SETTINGS[name].owners)
            raise ValueError(
                f"Expected no `{name}`, a setting of {owners}. Received: a run with "
                f"{', '.join(axes)}. Leave it out, or choose one that has it."
            )


def closest(name, among=SETTINGS):
    """A question that names the most similar one, or nothing."""
    found = difflib.get_close_matches(name, among, 1)
    return f" Did you mean `{found[0]}`?" if found else ""


def checked(name, value):
    """Returns a setting's value in its own type, from Python, a flag or a file.

    Raises:
        ValueError: If there is no such setting, or it can't have that value.
    """
    if name not in SETTINGS:
        raise ValueError(
            "Expected settings that `keras-adasim pretrain --helpfull` lists. "
            f"Received: `{name}`.{closest(name)}"
        )
    setting = SETTINGS[name]
    kind = type(setting.default)
    if name in ("backbone", "objective"):
        return check_axis(name, value)
    if setting.choices:
        return check_choice(name, value, setting.choices)
    if kind is int:
        return check_integer(name, value, 0 if name in FROM_ZERO else 1)
    if kind is float:
        return check_number(name, value, **BOUNDS.get(name, {}))
    rate = kind is str and name.endswith("_rate") and not isinstance(value, bool)
    if not isinstance(value, RATE if rate else ALSO.get(kind, kind)):
        raise ValueError(
            f"Expected `{name}` to be of type {kind.__name__}. Received: {name}={value!r}"
        )
    if kind is tuple and setting.default and not value:
        raise ValueError(f"Expected `{name}` to have values. Received: {name}={value!r}")
    return tuple(value) if kind is tuple else value
