"""Saving and loading a `SelfDistillation`: NumPy state, configuration and switches."""

import inspect

import keras
import numpy as np

from keras_adasim import pairing as pairings
from keras_adasim.files import DAMAGED, check_unpacked, expand
from keras_adasim.models.teacher import all_layers

_SERIALIZED = ("backbone", "objective", "bank", "augment", "momentum")


class Serialization:
    """What `keras.Model.save` and `keras.saving.load_model` ask of a `SelfDistillation`."""

    @staticmethod
    def load(path):
        """Loads what `save` wrote, ready to go on, as `keras.saving.load_model(path)` does.

        Raises:
            ValueError: If another model is in the file.
        """
        if not expand(path).is_file():
            raise FileNotFoundError(
                "Expected `path` to be a file that `SelfDistillation.save` wrote. "
                f"Received: path={str(path)!r}, no file. Check the spelling."
            )
        try:
            check_unpacked(path)
            model = keras.saving.load_model(path)
        except DAMAGED as error:
            raise ValueError(
                "Expected `path` to be a sound file that `SelfDistillation.save` wrote. "
                f"Received: path={str(path)!r}: {error}"
            ) from error
        if not isinstance(model, Serialization):
            raise ValueError(
                "Expected `path` to be a file that `SelfDistillation.save` wrote. "
                f"Received: path={path!r}, a {type(model).__name__}; `keras.saving.load_model` "
                "loads it."
            )
        return model

    def save_own_variables(self, store):
        """Puts the pairing's NumPy state, and that of Keras' dropout, beside the variables."""
        for name, value in self.pairing.get_state().items():
            store[f"pairing_{name}"] = value
        if states := self._random_states():
            store["random_states"] = np.stack([state.numpy() for state in states])

    def load_own_variables(self, store):
        """Reads the pairing's state, and the random ones where the file has them."""
        if "random_states" in store.keys():  # noqa: SIM118
            saved = np.asarray(store["random_states"])
            for state, value in zip(self._random_states(), saved, strict=True):
                state.assign(value)
        prefix = "pairing_"
        names = [name for name in store.keys() if name.startswith(prefix)]  # noqa: SIM118
        self.pairing.set_state(
            {name.removeprefix(prefix): np.asarray(store[name]) for name in names}
        )

    def _random_states(self):
        """The states of seed generators, which Keras keeps with no layer."""
        kept = {id(variable) for variable in [*self.weights, *self.metrics_variables]}
        return [variable for variable in self.variables if id(variable) not in kept]

    def get_config(self):
        """Returns the constructor's arguments, serialized.

        Raises:
            ValueError: If `augment` is a function that Keras doesn't know by a name.
        """
        if inspect.isroutine(self.augment) and not keras.saving.get_registered_name(
            self.augment
        ).count(">"):
            raise ValueError(
                "Expected `augment` to be a layer, or a function that is registered, so that it "
                "can be loaded again: put `@keras.saving.register_keras_serializable()` above it. "
                f"Received: augment={self.augment!r}"
            )
        config = {
            **super().get_config(),
            "neighbor_feature": self.neighbor_feature,
            "pairing": pairings.serialize(self.pairing),
            # Keras doesn't keep what is frozen in a layer's config.
            "frozen_layers": [
                place for place, layer in enumerate(all_layers(self.student)) if not layer.trainable
            ],
        }
        for name in _SERIALIZED:
            value = self.student if name == "backbone" else getattr(self, name)
            config[name] = keras.saving.serialize_keras_object(value)
        return config

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model with a new teacher; weights come afterwards."""
        config = dict(config)
        config["pairing"] = pairings.deserialize(config["pairing"])
        for name in _SERIALIZED:
            config[name] = keras.saving.deserialize_keras_object(config[name])
        layers = all_layers(config["backbone"])
        for place in config.pop("frozen_layers"):
            layers[place].trainable = False
        return cls(**config)

    def build_from_config(self, config):
        """Nothing to do: the constructor builds."""

    def get_compile_config(self):
        """Optimizer and switches, for `keras.models.load_model`."""
        if not self.compiled:
            return None
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "jit_compile": self.training_step.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "gradient_accumulation_steps": self.training_step.accumulation_steps,
        }

    def compile_from_config(self, config):
        """Compiles a loaded model as it was."""
        config = dict(config)
        optimizer = keras.saving.deserialize_keras_object(config.pop("optimizer"))
        self.compile(optimizer, **config)
