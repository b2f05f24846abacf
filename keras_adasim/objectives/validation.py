"""Checks of arguments that objectives share."""


def positive(name, value):
    """Returns `value`, a number above 0 or a schedule."""
    if isinstance(value, int | float) and value <= 0:
        raise ValueError(f"Expected `{name}` above 0. Received: {value}")
    return value
