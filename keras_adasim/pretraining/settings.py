"""Every setting of a run: what it configures, its default and what it means.

A setting is an argument of the thing that it configures, with that thing's default and the words of
its docstring: an objective's, a backbone's, an optimizer's, the crops'. It has the argument's name,
and is a keyword of `pretrain` and a flag of `keras-adasim pretrain` from there. Three rules:

- what a constructor counts in steps is set in epochs: `freeze_last_layer_epochs`;
- where two things have an argument of one name, `RENAMED` has the other's;
- what belongs to no constructor stands in `GENERAL`.
"""

import dataclasses
import difflib
import inspect

import keras
import numpy as np
import tensorflow as tf

from keras_adasim import augment, backbones, objectives, optimizers
from keras_adasim.docstrings import argument_help
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from keras_adasim.pairing import AdaptiveWindow
from keras_adasim.validation import check_choice, check_integer, check_number

# The network that learns within minutes on a CPU.
SMALL_BACKBONE = "vit_mini"
WEIGHTS, WATCHING, MACHINE = "decides the weights", "watches only", "depends on the machine"


class Default(str):
    """A name that nobody has passed: what an argument has of itself."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: Its keyword, and its flag without the dashes.
        default: Its value if nobody sets or chooses another.
        help: What it means, in a sentence.
        choices: The strings that it can be, if they are few.
        role: `WEIGHTS`, `WATCHING` or `MACHINE`. A run that goes on refuses another value of the
            first kind, takes one of the second, and never remembers one of the third.
        owners: Dict of what has it, such as `"byol"` or `"vit_small"`, to its default there; empty
            if every run has it.
    """

    name: str
    default: object
    help: str
    choices: tuple = ()
    role: str = WEIGHTS
    owners: dict = dataclasses.field(default_factory=dict)


def general(role, **settings):
    """Settings of every run: name to default, help and, for some, the choices."""
    return {name: Setting(name, *rest, role=role) for name, rest in settings.items()}


OPTIMIZERS = {"adamw": optimizers.AdamW, "lars": optimizers.LARS, "sgd": optimizers.SGD}
AXES = ("backbone", "objective", "pairing")
RENAMED = {
    AdaptiveWindow: {"temperature": "sampling_temperature"},  # An objective's is `temperature`.
    optimizers.LARS: {"momentum": "optimizer_momentum"},  # The teacher's is `momentum`.
    optimizers.SGD: {"momentum": "optimizer_momentum"},
}
# Arguments that follow from other settings, or from the data.
DERIVED = ("num_images", "seed", "channels", "global_size", "learning_rate", "clipnorm")
DERIVED += ("name", "dtype")

# Integers that may be zero; all others are positive.
FROM_ZERO = (
    *("limit", "seed", "warmup_epochs", "devices", "num_local", "freeze_last_layer_epochs"),
    *("region_start_epoch", "warmup_teacher_temperature_epochs"),
)
POSITIVE, SHARE = {"above": 0}, {"minimum": 0, "maximum": 1}
# Of those numbers whose constructors have another name for them, or don't mind.
BOUNDS = {
    "learning_rate": POSITIVE,
    "final_learning_rate": {"minimum": 0},
    "weight_decay": {"minimum": 0},
    "final_weight_decay": {"minimum": 0},
    "clipnorm": {"minimum": 0},
    "momentum": SHARE,
    "final_momentum": SHARE,
    "drop_path_rate": {"minimum": 0, "below": 1},
    "sampling_temperature": {"minimum": 0},
    "teacher_temperature": POSITIVE,
    "warmup_teacher_temperature": POSITIVE,
    "knn_temperature": POSITIVE,
}
# What else stands for a list, or for a word that may be a number.
ALSO = {tuple: (tuple, list, np.ndarray), str: (str, int, float, type(None))}

GENERAL = {
    **general(
        WEIGHTS,
        backbone=(
            "vit_small",
            "Network to train: a preset's name, hub:PRESET of KerasHub, the folder of a run or an "
            "export; auto is vit_small on a GPU and vit_mini on a CPU.",
        ),
        objective=("dino", "What the network learns from: the loss, its heads and its state."),
        pairing=(
            "adasim",
            "Who is paired: self (plain self-distillation), nearest, adasim, oracle (same label).",
            ("self", "nearest", "adasim", "oracle"),
        ),
        channels=(3, "Channels of the images: 3, 1 for gray, or those of the .npy files."),
        mean=(IMAGENET_MEAN, "Mean of each channel, in [0, 1]."),
        std=(IMAGENET_STD, "Standard deviation of each channel, in [0, 1]."),
        limit=(0, "Use only so many training images, drawn once by the seed; 0 for all."),
        seed=(0, "Seed of weights, order, crops, augmentation and partners."),
        epochs=(100, "Epochs to train."),
        batch_size=(256, "Images per step, over all devices."),
        precision=(
            "auto",
            "Keras dtype policy; auto is mixed_bfloat16 on a GPU, else float32.",
            ("auto", "float32", "mixed_bfloat16", "mixed_float16"),
        ),
        gradient_accumulation_steps=(1, "Parts that a device's batch is worked through in."),
        neighbor_feature=(
            "first",
            "Which view's feature the bank keeps.",
            ("first", "second", "mean"),
        ),
        weights=(
            "",
            "PyTorch file (.pth, .safetensors, .npz) to start from; of a file with a student and a "
            "teacher both go on, heads included.",
        ),
        weights_key=("", "The one network of the weights file to start from, if it has several."),
        optimizer=("adamw", "Which optimizer.", tuple(OPTIMIZERS)),
        learning_rate=(5e-4, "Peak, per 256 images: scaled by batch_size / 256."),
        final_learning_rate=(1e-6, "After the last step; not scaled."),
        warmup_epochs=(10, "Epochs of linear warm-up of the learning rate."),
        weight_decay=(0.04, "In the first step; a cosine to final_weight_decay."),
        final_weight_decay=(0.4, "After the last step."),
        clipnorm=(3.0, "Largest norm of one variable's gradient; 0 does not clip."),
        policy=(
            "dino",
            "Augmentation. dino: the second view is rarely blurred, and solarized at times; "
            "symmetric: as SimSiam, both views are blurred every other time.",
            ("dino", "symmetric"),
        ),
        exclude=(
            (),
            "Augmentations to leave out: flip, color_jitter, grayscale, blur, solarize.",
        ),
        interpolation=("bilinear", "Kernel of the crops.", ("bilinear", "bicubic")),
        image_size=(224, "Height and width of the global crops, in pixels."),
        momentum=(0.996, "Of the teacher, in the first step; a cosine to final_momentum."),
        final_momentum=(1.0, "Of the teacher, after the last step."),
    ),
    **general(
        WATCHING,
        knn_k=(20, "Neighbors that vote in the k-NN, where there are labels."),
        knn_temperature=(0.07, "Temperature of the k-NN's votes."),
        knn_every=(1, "Epochs between two k-NN evaluations and measures of the features."),
        knn_images=(10_000, "At most so many images of each set for the k-NN."),
    ),
    **general(
        MACHINE,
        devices=(0, "GPUs to use, or logical CPU devices; 0 is all GPUs, else one CPU."),
        xla=(
            "auto",
            "Whether to compile the step; auto: on a GPU, and small networks on a CPU.",
            ("auto", "yes", "no"),
        ),
        in_memory=("auto", "Whether to decode all images once.", ("auto", "yes", "no")),
    ),
}
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
        yield Setting(name, default, text, owners={owner: default})


def build_table():
    """All settings by name; those that several things own are one, with several defaults."""
    table = dict(GENERAL)
    for owner, configured in (
        *objectives_by_name().items(),
        *backbones.PRESETS.items(),
        *OPTIMIZERS.items(),
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
    text = first.help if second.help in first.help else f"{first.help} {second.help}"
    return dataclasses.replace(first, help=text, owners={**first.owners, **second.owners})


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
    if not isinstance(value, ALSO.get(kind, kind)):
        raise ValueError(
            f"Expected `{name}` to be of type {kind.__name__}. Received: {name}={value!r}"
        )
    return tuple(value) if kind is tuple else value
