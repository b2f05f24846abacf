"""Reads the tensors of `torch.save` files, without PyTorch and without running pickled code.

Since PyTorch 1.6 such a file is a zip archive: `data.pkl` describes the objects, `data/0`,
`data/1`, ... are the raw storages that its tensors are cut from.
"""

import collections
import dataclasses
import math
import pathlib
import pickle
import zipfile

import ml_dtypes
import numpy as np

from keras_adasim.files import DAMAGED, check_unpacked, expand

# Elements of a tensor that repeats its storage, as expanded ones do.
MOST_REPEATED = 2**24
STORAGE_DTYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


class RefusedCheckpointError(ValueError):
    """A file asks for more than tensors and settings; nothing of it was run."""


class Inert:
    """Stands for an object of no use to us; does nothing with what it is made of."""

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


# Settings and counters that checkpoints hold beside their tensors.
INERT = {
    ("argparse", "Namespace"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("__builtin__", "set"),
    ("pathlib", "PosixPath"),
    ("pathlib", "PurePosixPath"),
    ("pathlib", "WindowsPath"),
    ("torch", "Size"),
    ("torch", "device"),
}


@dataclasses.dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file, read when it is turned into an array.

    An optimizer's moments, three quarters of a training checkpoint, are thus never read.

    Args:
        path: The archive.
        member: Name of the storage in the archive.
        dtype: NumPy dtype of the storage.
        offset: First element in the storage.
        shape: Sizes of the axes.
        strides: Elements from one entry to the next, per axis.
    """

    path: pathlib.Path
    member: str
    dtype: type
    offset: int
    shape: tuple
    strides: tuple

    def __array__(self, dtype=None, copy=None):
        """Reads the tensor; raises ValueError if it reaches beyond its storage."""
        storage = self._storage()
        reach = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        numbers = (self.offset, *self.shape, *self.strides)
        empty = 0 in self.shape
        beyond = not empty and self.offset + reach >= storage.size
        if min(numbers) < 0 or beyond or math.prod(self.shape) > max(storage.size, MOST_REPEATED):
            raise ValueError(
                f"Expected tensors inside their storages. Received: {self.path} with a tensor of "
                f"shape {self.shape} beyond the {storage.size} elements of {self.member}. The file "
                "is damaged."
            )
        strides = tuple(step * storage.itemsize for step in self.strides)
        array = np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides)
        return np.array(array, dtype=dtype)

    def _storage(self):
        try:
            with zipfile.ZipFile(self.path) as archive:
                return np.frombuffer(archive.read(self.member), np.dtype(self.dtype))
        except DAMAGED as error:
            raise ValueError(
                f"Expected {str(self.path)!r} to hold {self.member}. Received: {error}. Download "
                "it again."
            ) from error


class TensorUnpickler(pickle.Unpickler):
    """An unpickler that makes tensors, mappings and inert objects, and refuses all else.

    Args:
        file: The opened `data.pkl`.
        path: The archive.
        root: The folder inside the archive, ending in a slash.
    """

    def __init__(self, file, path, root):
        super().__init__(file)
        self.path = path
        self.root = root

    def find_class(self, module, name):
        """Answers a pickle's request for a class or function."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module == "torch" and name in STORAGE_DTYPES:
            return STORAGE_DTYPES[name]
        if (module, name) in INERT:
            return Inert
        raise RefusedCheckpointError(
            f"Expected a checkpoint of tensors and settings. Received: {self.path}, which asks for "
            f"`{module}.{name}`. Nothing of it was run. Where you trust the file, load it in "
            "PyTorch and save the model's `state_dict()` alone."
        )

    def persistent_load(self, pid):
        """Answers a pickle's reference to a storage: its dtype and its place in the archive."""
        _, dtype, number, _, _ = pid
        if dtype not in STORAGE_DTYPES.values():
            raise pickle.UnpicklingError(f"a storage of {dtype!r}")
        return dtype, f"{self.root}data/{number}"

    def _tensor(self, storage, offset, shape, strides, *_):
        dtype, member = storage
        return StoredTensor(self.path, member, dtype, offset, tuple(shape), tuple(strides))


def read_torch_file(path):
    """Reads a file written by `torch.save`.

    Args:
        path: Path of the file.

    Returns:
        The object that was saved, with a `StoredTensor` for each tensor and an `Inert` for
        anything else than mappings, lists, numbers and strings.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not in the zip format of PyTorch 1.6 and later, is damaged, or
            unpacks to far more than it holds.
        RefusedCheckpointError: If the file asks for anything that is not on our list.
    """
    path = expand(path)
    if not path.exists():
        raise FileNotFoundError(f"Expected a checkpoint file. Received: {path}, which isn't there.")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            "Expected a file in the zip format of PyTorch 1.6 and later. Received: "
            f"{path}. If it is older, rewrite it once with PyTorch: "
            "`torch.save(torch.load(path, weights_only=True), path)`."
        )
    check_unpacked(path)
    with zipfile.ZipFile(path) as archive:
        root = _root(archive, path)
        with archive.open(f"{root}data.pkl") as file:
            try:
                return TensorUnpickler(file, path, root).load()
            except RefusedCheckpointError:
                raise
            except DAMAGED as error:
                raise ValueError(
                    f"Expected {str(path)!r} to be a sound PyTorch checkpoint. Received: "
                    f"{type(error).__name__}: {error}. Download it again."
                ) from error


def _root(archive, path):
    names = set(archive.namelist())
    roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ValueError(
            f"Expected one `data.pkl` in the archive, as `torch.save` writes it. Received: {path} "
            f"with {len(roots)}"
        )
    order = f"{roots[0]}byteorder"
    if order in names and archive.read(order) != b"little":
        raise ValueError(
            f"Expected a little-endian checkpoint. Received: {path}, written on a big-endian "
            "machine. Save it as .safetensors."
        )
    return roots[0]
