"""PyTorch's names for the variables of Keras layers.

A layer or backbone that can read PyTorch weights has a method `torch_names()` that returns
`{name in PyTorch's state_dict: (variable, axes)}`. `axes` are the argument of `np.transpose`
that turns PyTorch's array into Keras' (None: the same layout). The functions here give these
entries for the layers that all networks are made of.
"""


def dense_names(layer):
    """Names of a `keras.layers.Dense`, which is `torch.nn.Linear`."""
    names = {"weight": (layer.kernel, (1, 0))}
    if layer.use_bias:
        names["bias"] = (layer.bias, None)
    return names


def convolution_names(layer):
    """Names of a layer with a kernel (height, width, in, out), which is `torch.nn.Conv2d`."""
    names = {"weight": (layer.kernel, (2, 3, 1, 0))}
    if layer.bias is not None:
        names["bias"] = (layer.bias, None)
    return names


def layer_norm_names(layer):
    """Names of a `keras.layers.LayerNormalization`."""
    return {"weight": (layer.gamma, None), "bias": (layer.beta, None)}


def batch_norm_names(layer):
    """Names of a `keras.layers.BatchNormalization`."""
    return {
        "weight": (layer.gamma, None),
        "bias": (layer.beta, None),
        "running_mean": (layer.moving_mean, None),
        "running_var": (layer.moving_variance, None),
    }


def prefixed(prefix, names):
    """Puts `prefix` and a dot before every name."""
    return {f"{prefix}.{name}": entry for name, entry in names.items()}
