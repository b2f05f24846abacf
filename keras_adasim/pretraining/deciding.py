"""Which value each setting of a run has, and why."""

import inspect

import tensorflow as tf

from keras_adasim.backbones import PRESETS
from keras_adasim.pretraining import choosing, surroundings
from keras_adasim.pretraining.general_settings import MACHINE, WEIGHTS
from keras_adasim.pretraining.settings import (
    AXES,
    SETTINGS,
    applicable,
    check_names,
    checked,
)


class Default(str):
    """A name that nobody has passed: what an argument has of itself."""


class Decision:
    """The settings of a run: given now, kept from its start, an experiment's, or chosen.

    Args:
        given: Dict of what the user set now.
        earlier: What the run's folder recalls of its start, or None for a new run.
        defaults: Dict of an experiment's own values, with which nothing is chosen; or None.

    Attributes:
        given: The same, checked.
        values: Dict of every setting that applies; complete after `choose`.
        reasons: Dict of the chosen ones to the rule of the choice.

    Raises:
        ValueError: If a setting is unknown, another method's, of a wrong type, or one that decides
            the weights and differs from the run's start.
    """

    def __init__(self, given, earlier=None, defaults=None):
        # "auto" is kept as it is: what it means is settled at a run's start.
        self.given = {
            name: value if value == "auto" else checked(name, value)
            for name, value in given.items()
        }
        self.earlier = earlier
        self._kept = {} if earlier is None else earlier["settings"]
        for name in [n for n, value in self.given.items() if value == "auto" and n in self._kept]:
            del self.given[name]  # Chosen at the start, maybe on another machine.
        self._chooses = earlier is None and defaults is None
        check_unchanged(self.given, self._kept)
        self._fixed = {**(defaults or {}), **self._kept, **self.given}
        self.values, self.reasons = {}, {}
        for name in {*self._fixed, *AXES}:
            self._fixed[name] = checked(name, self[name])

    def __getitem__(self, name):
        """The value of a setting, before or after the choice."""
        return self.values.get(name, self._fixed.get(name, SETTINGS[name].default))

    def pick(self, function):
        """The settings that a function names among its parameters."""
        names = inspect.signature(function).parameters
        return {name: self[name] for name in names if name in SETTINGS}

    def settle(self, name, value):
        """Fixes a setting that the images decide before the others are chosen."""
        self._fixed[name] = value

    def choose(self, source, own=None):
        """Settles what is left.

        Args:
            source: The training images.
            own: Dict of settings that the images, or the user's own parts, decide.

        Raises:
            ValueError: If a setting is one of another method's, or another value was given for one
                of `own`.
        """
        own = own or {}
        for name, value in own.items():
            if remembered(self.given.get(name, value)) != remembered(value):
                raise ValueError(
                    f"Expected `{name}` to be {value}, as your images, backbone or augmentation "
                    f"have it. Received: {name}={self.given[name]}"
                )
        chosen = {}
        if self._chooses:
            chosen = choosing.choose(
                num_images=len(source),
                side=choosing.typical_side(source),
                gpu=bool(tf.config.list_physical_devices("GPU")),
                backbone=name_of(self["backbone"]),
                pretrained=isinstance(self["backbone"], str) and self["backbone"] not in PRESETS,
                known={*applicable(self._axes("adamw")), *applicable(self._axes("sgd"))},
                epochs=self.given.get("epochs"),
                image_size=self.given.get("image_size", own.get("image_size")),
            )
        optimizer = self._fixed.get("optimizer", chosen.get("optimizer", self["optimizer"]))
        axes = self._axes(optimizer)
        check_names(self.given, axes)
        values = {**applicable(axes), **chosen, **own, **self._fixed}
        measured = values["channels"] != 3 and not {"mean", "std"} & {*own, *self._fixed}
        if measured:
            values["mean"], values["std"] = choosing.mean_and_std(source)
        if values["precision"] == "auto":
            values["precision"] = surroundings.precision_here()
        known = {*applicable(axes), *AXES}
        self.values = {name: value for name, value in values.items() if name in known}
        self.reasons = {
            name: "of your backbone or augmentation" if name in own else choosing.RULES[name]
            for name in {**chosen, **own}
            if name in self.values and name not in {*self._fixed, "channels"}
        }
        if measured:
            self.reasons |= dict.fromkeys(("mean", "std"), choosing.RULES["mean"])

    def _axes(self, optimizer):
        return [*(name_of(self[axis]) for axis in AXES), optimizer]

    def to_remember(self):
        """Dict of what the run's folder keeps: all but the settings of the machine."""
        return {
            name: remembered(value)
            for name, value in self.values.items()
            if SETTINGS[name].role != MACHINE
        }


def name_of(part):
    """What names a part in settings and files: itself, or the class of what the user built."""
    return part if isinstance(part, str) else type(part).__name__


def remembered(value):
    """A value as a run's file has it."""
    if isinstance(value, tuple | list):
        return list(value)
    return value if isinstance(value, str | int | float | bool | None) else name_of(value)


def check_unchanged(given, kept):
    """Raises ValueError if a setting given now would change the weights of a run that goes on."""
    changed = sorted(
        name
        for name in set(given) & set(kept) - {"epochs"}
        if SETTINGS[name].role == WEIGHTS and remembered(given[name]) != remembered(kept[name])
    )
    if changed:
        was = ", ".join(f"`{name}`={remembered(kept[name])}" for name in changed)
        now = ", ".join(f"{name}={remembered(given[name])}" for name in changed)
        raise ValueError(
            f"Expected what the run was started with: {was}. Received: {now}. Leave out what the "
            "run keeps, choose another `out`, or start anew with `fresh`."
        )
