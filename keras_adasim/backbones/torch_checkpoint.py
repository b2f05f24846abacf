"""Reads the arrays of checkpoint files without running code that a file brings along."""

import ml_dtypes  # noqa: F401  teaches NumPy bfloat16, which safetensors files may hold
import numpy as np
import safetensors.numpy

from keras_adasim.backbones.torch_unpickler import read_torch_file
from keras_adasim.files import DAMAGED, check_unpacked, expand


def read_checkpoint(path):
    """Reads a file of named arrays.

    Args:
        path: A .npz or .safetensors file, or a .pth, .pt or .bin file written by `torch.save`.

    Returns:
        The mapping in the file: PyTorch names to arrays, or what else a PyTorch checkpoint holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the ending is another one, or a PyTorch file is not plain data.
    """
    path = expand(path)
    if path.suffix in (".npz", ".safetensors"):
        return _read_arrays(path)
    if path.suffix in (".pth", ".pt", ".bin"):
        checkpoint = read_torch_file(path)
        if not hasattr(checkpoint, "items"):
            raise ValueError(
                "Expected a checkpoint that is a mapping of names. Received: "
                f"{type(checkpoint).__name__} in {path}. Save the model's `state_dict()`."
            )
        return checkpoint
    raise ValueError(
        "Expected `path` to end in .npz, .safetensors, .pth, .pt or .bin. "
        f"Received: path={str(path)!r}"
    )


def _read_arrays(path):
    if not path.is_file():
        raise FileNotFoundError(
            "Expected `path` to be a file of weights. "
            f"Received: path={str(path)!r}, which isn't there"
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.numpy.load_file(path)
        check_unpacked(path)
        # Opened here: NumPy leaves a file that is no archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (*DAMAGED, safetensors.SafetensorError) as error:
        raise ValueError(
            f"Expected {path} to be a sound {path.suffix} file of arrays. Received: {error}. "
            "Download it again."
        ) from error
