"""All layers of a model, at any depth; the one place that asks Keras for them."""


def sublayers(model, include_self=True):
    """Returns a layer and every layer below it, each once.

    Keras has no public way to them: `model.layers` are those of the first level.

    Args:
        model: `keras.Layer` or `keras.Model`.
        include_self: Whether the list begins with `model` itself.
    """
    return list(model._flatten_layers(include_self=include_self, recursive=True))
