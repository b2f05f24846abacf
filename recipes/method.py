"""A method of self-supervision, as recipes choose it."""

import collections.abc
import dataclasses

from settings import SETTINGS


@dataclasses.dataclass(frozen=True)
class Method:
    """An objective from settings, and the settings that only it has.

    Attributes:
        name: what it is called in the grid.
        objective: function that returns an objective of `keras_adasim.objectives`. It names the
            settings it wants as parameters; `steps_per_epoch` and `steps` are there too.
        settings: `Setting` by name, flags beside those that every recipe has.
        cifar10: its values of settings in lightly's CIFAR-10 benchmark.
    """

    name: str
    objective: collections.abc.Callable
    settings: dict = dataclasses.field(default_factory=dict)
    cifar10: dict = dataclasses.field(default_factory=dict)

    @property
    def all_settings(self):
        """Every setting of a recipe with this method, by name."""
        return {**SETTINGS, **self.settings}
