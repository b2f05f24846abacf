"""Moves weights between PyTorch's `state_dict` and our backbones and heads."""

import os

import keras
import numpy as np
import safetensors.numpy

from keras_adasim.backbones.torch_checkpoint import read_checkpoint
from keras_adasim.files import expand, write_file
from keras_adasim.validation import renamed

# Buffers that PyTorch keeps beside the parameters and that follow from the module's settings.
BUFFERS = ("num_batches_tracked", "relative_position_index", "attn_mask")
# The parts of a checkpoint; the last is EsViT's head for regions.
PARTS = ("backbone.", "head.", "head_dense.")


def load_torch_weights(model, weights, key=None, part=None):
    """Loads PyTorch weights into a backbone or a `ProjectionHead`.

    Prefixes `module.`, `backbone.`, `head.` and `head_dense.` are understood, and the sibling
    parts of a checkpoint are passed over: names with `head.` for a backbone (and torchvision's
    `fc.` for a ResNet), with `backbone.` for a head, or without a prefix, where EsViT keeps its
    heads beside the backbone's layers. Every other name must belong to the model and every
    variable of the model must be there, or nothing is assigned. Files are read without running
    pickled code, and without PyTorch.

    Args:
        model: Built backbone or head with a `torch_names` method.
        weights: Mapping of PyTorch names to arrays, mapping of network names to such mappings, or
            a path to .npz, .safetensors or .pth.
        key: The network to take, such as `"teacher"`, where there are several.
        part: The part of the network to take, `"backbone"`, `"head"` or `"head_dense"`; by default
            what the model is. EsViT's head for regions is `"head_dense"`.

    Raises:
        FileNotFoundError: If `weights` is a path to no file.
        ValueError: If there are several networks and no such `key`, if a name is unknown or
            missing, or if a shape differs. The message lists them all.
    """
    for variable, value in torch_assignments(model, weights, key, part):
        variable.assign(value)


def torch_assignments(model, weights, key=None, part=None):
    """Returns what `load_torch_weights` with these arguments assigns, and assigns nothing.

    Args:
        model: As there.
        weights: As there.
        key: As there.
        part: As there.

    Returns:
        List of pairs of a variable and a float32 array in its layout.
    """
    expected = _torch_names(model)
    if isinstance(weights, str | os.PathLike):
        with renamed(path="weights"):
            weights = read_checkpoint(expand(weights, "weights"))
    if not hasattr(weights, "items"):
        raise ValueError(
            "Expected `weights` to be a path, or a mapping of PyTorch's names to arrays. "
            f"Received: {type(weights).__name__}"
        )
    # What a network has besides our parts, such as a classifier.
    siblings = getattr(model, "torch_siblings", ())
    found = _part(_network(weights, key), _prefix(model, part), siblings)
    _check_names(model, expected, found)
    _check_shapes(model, expected, found)
    return [
        (variable, _transposed(np.asarray(found[name], "float32"), axes))
        for name, (variable, axes) in expected.items()
    ]


def torch_state(model):
    """Returns the weights of a backbone or a `ProjectionHead` under PyTorch's names.

    Args:
        model: Built backbone or head with a `torch_names` method.

    Returns:
        Dictionary of PyTorch name to NumPy array in PyTorch's layout.
    """
    return {
        name: _transposed(keras.ops.convert_to_numpy(variable), _inverse(axes))
        for name, (variable, axes) in _torch_names(model).items()
    }


def save_torch_weights(model, path):
    """Writes the weights of a backbone or a `ProjectionHead` under PyTorch's names.

    `load_torch_weights` reads them back, bit by bit. In PyTorch, `load_state_dict` of the official
    model takes `safetensors.torch.load_file(path)`; Swin's wants `strict=False`, as it keeps
    buffers that follow from its settings.

    Args:
        model: Built backbone or head with a `torch_names` method.
        path: File to write, ending in .safetensors.

    Raises:
        ValueError: If `path` ends otherwise, or `model` knows no PyTorch names.
    """
    path = expand(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"Expected `path` to end in .safetensors. Received: path={str(path)!r}")
    # A transposed view would be written in the order of its memory.
    arrays = {name: np.ascontiguousarray(array) for name, array in torch_state(model).items()}
    write_file(path, safetensors.numpy.save(arrays))


def _torch_names(model):
    if not hasattr(model, "torch_names"):
        raise ValueError(
            "Expected `model` to be a backbone or head that knows PyTorch's names, with a method "
            f"`torch_names`. Received: {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            f"Expected a built `model`, which has variables. Received: {model.name}, not yet "
            "built. Call it once, or its `build((None, feature_dim))`."
        )
    return model.torch_names()


def _prefix(model, part):
    prefix = getattr(model, "torch_prefix", "backbone.") if part is None else f"{part}."
    if prefix not in PARTS:
        raise ValueError(
            "Expected `part` to be one of "
            f"{_listed(name.removesuffix('.') for name in PARTS)}. Received: part={part!r}"
        )
    return prefix


def _network(weights, key):
    """Picks the mapping of names to arrays out of a checkpoint."""
    networks = {name: entry for name, entry in weights.items() if _is_network(entry)}
    if key is not None:
        if not isinstance(key, str) or key not in networks:
            raise ValueError(
                f"Expected `key` to name a network of the checkpoint: {_listed(networks)}. "
                f"Received: key={key!r}."
                + ("" if networks else " It holds one network's arrays: leave `key` out.")
            )
        return networks[key]
    if len(networks) > 1:
        raise ValueError(
            "Expected `key` to choose one of the checkpoint's networks: "
            f"{_listed(networks)}. Received: key=None"
        )
    return next(iter(networks.values()), weights)


def _is_network(entry):
    return hasattr(entry, "items") and entry and all(hasattr(a, "shape") for a in entry.values())


def _part(arrays, prefix, siblings):
    """Names without prefixes, of the model's own part."""
    names = [name.removeprefix("module.") for name in arrays]
    siblings += tuple(name for name in PARTS if name != prefix)
    inside = _heads_inside_backbone(names, prefix)
    part = {}
    for short, array in zip(names, arrays.values(), strict=True):
        if short.startswith(siblings) or short.rpartition(".")[2] in BUFFERS:
            continue
        if inside and not short.startswith(prefix):
            continue
        short = short.removeprefix(prefix)
        if short in part:
            raise ValueError(
                f"Expected every name once. Received: {short!r} both with and without the prefix "
                f"{prefix!r}. Pass one of the two networks."
            )
        part[short] = array
    return part


def _heads_inside_backbone(names, prefix):
    """Whether names without a prefix are the backbone's and `prefix` is that of a head."""
    starts = {start for start in PARTS for name in names if name.startswith(start)}
    return prefix != "backbone." and prefix in starts and "backbone." not in starts


def _check_names(model, expected, found):
    unknown, missing = found.keys() - expected.keys(), expected.keys() - found.keys()
    if unknown or missing:
        raise ValueError(
            f"Expected `weights` to hold the {len(expected)} PyTorch names of {model.name} and no "
            f"others. Received: missing names {_listed(missing)}; unknown names "
            f"{_listed(unknown)}. Nothing was loaded. Build the model with the checkpoint's sizes, "
            "or remove entries that don't belong to it."
        )


def _check_shapes(model, expected, found):
    wrong = []
    for name, (variable, axes) in expected.items():
        wanted = _transposed(np.empty(variable.shape), _inverse(axes)).shape
        shape = tuple(np.shape(found[name]))
        if shape != wanted:
            wrong.append(f"{name}: {shape} instead of {wanted}")
    if wrong:
        raise ValueError(
            f"Expected arrays of the shapes of {model.name}. Received: {'; '.join(wrong)}. "
            "Nothing was loaded. Build the model with the checkpoint's sizes."
        )


def _inverse(axes):
    return None if axes is None else np.argsort(axes)


def _transposed(array, axes):
    # To NumPy, None means the reverse order.
    return array if axes is None else np.transpose(array, axes)


def _listed(names):
    return ", ".join(sorted(names)) or "none"
