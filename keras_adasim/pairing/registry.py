"""Pairings by name, for flags and checkpoints."""

from keras_adasim.pairing.pairing import Pairing

_PAIRINGS = {}


def register(name):
    """Makes a subclass of `Pairing` known under a name, as a class decorator.

    ```python
    @keras_adasim.pairing.register("my_pairing")
    class MyPairing(keras_adasim.pairing.Pairing):
        ...
    ```

    Args:
        name: The name that `get` and `deserialize` find the class by.

    Raises:
        ValueError: If another class already has that name.
        TypeError: If the decorated object is no subclass of `Pairing`.
    """

    def decorate(cls):
        if not (isinstance(cls, type) and issubclass(cls, Pairing)):
            raise TypeError(f"Expected a subclass of `Pairing`. Received: {cls!r}")
        taken = _PAIRINGS.get(name)
        # A module that is reloaded defines the same class again.
        if taken is not None and taken.__qualname__ != cls.__qualname__:
            raise ValueError(f"Expected a new name. Received: name={name!r}, taken by {taken!r}")
        _PAIRINGS[name] = cls
        return cls

    return decorate


def get(identifier, **kwargs):
    """Returns a pairing.

    Args:
        identifier: A registered name (`"self"`, `"nearest"`, `"adasim"`, `"oracle"`), what
            `serialize` returned, or a pairing, which is returned as it is.
        **kwargs: Constructor arguments, where `identifier` is a name.

    Raises:
        ValueError: If the name is unknown, or arguments come with something already built.
    """
    if isinstance(identifier, str):
        return _class_of(identifier)(**kwargs)
    if kwargs:
        raise ValueError(
            f"Expected no further arguments with `identifier={identifier!r}`, which brings its "
            f"own. Received: {sorted(kwargs)}"
        )
    if isinstance(identifier, Pairing):
        return identifier
    return deserialize(identifier)


def serialize(pairing):
    """Returns the dict `{"class_name": name, "config": config}` of a pairing, without its state.

    Raises:
        ValueError: If the pairing's class is not registered.
    """
    for name, cls in _PAIRINGS.items():
        if type(pairing) is cls:
            return {"class_name": name, "config": pairing.get_config()}
    raise ValueError(
        "Expected a pairing of a registered class; decorate the class with "
        f"`@keras_adasim.pairing.register(name)`. Received: {pairing!r}"
    )


def deserialize(config):
    """Returns the pairing that `serialize` described, with an empty state.

    Raises:
        ValueError: If `config` is no such dict, or names an unknown class.
    """
    if not isinstance(config, dict) or set(config) != {"class_name", "config"}:
        raise ValueError(
            "Expected `identifier` to be a name, a pairing, or a dict with the entries "
            f"'class_name' and 'config'. Received: identifier={config!r}"
        )
    return _class_of(config["class_name"]).from_config(config["config"])


def _class_of(name):
    if name not in _PAIRINGS:
        names = ", ".join(repr(known) for known in sorted(_PAIRINGS))
        raise ValueError(
            f"Expected `identifier` to be one of {names}. Received: identifier={name!r}"
        )
    return _PAIRINGS[name]
