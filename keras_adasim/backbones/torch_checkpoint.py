"""Reads the arrays of checkpoint files without running code that a file brings along."""

import pathlib

import ml_dtypes  # noqa: F401  teaches NumPy bfloat16, which safetensors files may hold
import numpy as np
import safetensors.numpy

from keras_adasim.backbones.torch_unpickler import read_torch_file


def read_checkpoint(path):
    """Reads a file of named arrays.

    Args:
        path: a .npz or .safetensors file, or a .pth, .pt or .bin file written by `torch.save`.

    Returns:
        the mapping in the file: PyTorch names to arrays, or what else a PyTorch checkpoint holds.

    Raises:
        ValueError: if the ending is another one, or a PyTorch file is not plain data.
    """
    path = pathlib.Path(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    if path.suffix == ".safetensors":
        return safetensors.numpy.load_file(path)
    if path.suffix in (".pth", ".pt", ".bin"):
        checkpoint = read_torch_file(path)
        if not hasattr(checkpoint, "items"):
            raise ValueError(
                "Expected a checkpoint that is a mapping of names. Received: "
                f"{type(checkpoint).__name__} in {path}. Save the model's `state_dict()`."
            )
        return checkpoint
    raise ValueError(
        f"Expected `weights` to end in .npz, .safetensors, .pth, .pt or .bin. Received: {path}"
    )
