"""Files from strangers: nothing of them runs, and sizes are looked at before memory is taken."""

import json
import pickle
import struct
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_adasim import SelfDistillation, backbones, data, export
from keras_adasim.backbones.torch_unpickler import StoredTensor
from tests.models import tiny

TRILLION = 10**12


def claims(shape, dtype="|u1", content=b"\0" * 8):
    """An .npy file whose header has another shape than its content."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def bomb(path, *names, size=2**30):
    """An archive whose members are a gigabyte of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in names:
            with archive.open(name, "w") as file:
                for _ in range(size // 2**24):
                    file.write(bytes(2**24))
    return path


@pytest.fixture(scope="module")
def zeros(tmp_path_factory):
    """One such archive for all: a name is all that is looked at."""
    return bomb(tmp_path_factory.mktemp("bomb") / "bomb", "archive/data.pkl").read_bytes()


def refuses(path, *words, read=backbones.read_checkpoint):
    with pytest.raises(ValueError, match="Expected") as error:
        read(path)
    for word in (path.name, *words):
        assert word in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["npz", "pth"])
def test_an_archive_that_unpacks_to_far_more_is_not_read(tmp_path, zeros, ending):
    path = tmp_path / f"w.{ending}"
    path.write_bytes(zeros)
    refuses(path, "1,073,741,824 bytes unpacked")


def test_a_keras_file_that_unpacks_to_far_more_is_not_read(tmp_path, zeros):
    path = tmp_path / "w.keras"
    path.write_bytes(zeros)
    refuses(path, "bytes unpacked", read=SelfDistillation.load)


def test_an_npy_file_that_claims_more_than_it_holds(tmp_path):
    """It used to be a MemoryError without a name, or half a terabyte taken."""
    (tmp_path / "a.npy").write_bytes(claims((TRILLION // 4, 4)))
    refuses(tmp_path / "a.npy", read=lambda path: data.ArrayFolder(tmp_path))
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("a.npy", claims((TRILLION,), "<f4"))
    refuses(tmp_path / "w.npz")


def test_pickles_in_npy_files_are_not_run(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    refuses(tmp_path / "a.npy", read=lambda path: data.ArrayFolder(tmp_path))


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [TRILLION], "data_offsets": [0, 4 * TRILLION]}},
        {"a": {"dtype": "F32", "shape": [TRILLION], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        {"a": {"dtype": "X99", "shape": [2], "data_offsets": [0, 8]}},
        [],
    ],
)
def test_a_safetensors_header_that_lies(tmp_path, header):
    text = json.dumps(header).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    refuses(tmp_path / "w.safetensors")


def test_a_safetensors_header_that_is_longer_than_the_file(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    refuses(tmp_path / "w.safetensors")


def test_a_tensor_that_repeats_one_number_a_trillion_times(tmp_path):
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data/0", bytes(4))
    tensor = StoredTensor(path, "archive/data/0", np.float32, 0, (TRILLION,), (0,))
    refuses(path, "inside their storages", read=lambda _: np.asarray(tensor))
    lost = StoredTensor(path, "archive/data/7", np.float32, 0, (1,), (1,))
    refuses(path, "data/7", read=lambda _: np.asarray(lost))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02K\x01K\x02u.",
        b"\x80\x02U\x03abcQ.",  # A storage that is a string.
        b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b".",
        b"\x80\x02" + b"(" * 100 + b"R.",
        pickle.dumps({"a": 1})[:-3],
    ],
)
def test_pickles_that_are_damaged_are_one_line(tmp_path, content):
    """They used to be UnpicklingError, EOFError, KeyError, MemoryError ..."""
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    refuses(path, "sound PyTorch checkpoint")


def test_a_keras_file_that_holds_code_or_lies_about_its_weights(tmp_path):
    path = tmp_path / "m.keras"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(path)
    refuses(path, "sound file", read=SelfDistillation.load)

    tiny.model(compiled=False).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = tmp_path / "w.h5"
    weights.write_bytes(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if "shape" in dir(item) else None)
        kernel = next(name for name in names if file[name].ndim == 2)
        del file[kernel]
        file.create_dataset(kernel, (TRILLION, 4), "f4", chunks=(1024, 4), compression="gzip")
    members["model.weights.h5"] = weights.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    refuses(path, read=SelfDistillation.load)


def test_an_export_whose_facts_are_wrong(tmp_path):
    for name in ("saved_model.pb", "backbone.keras"):
        (tmp_path / name).write_bytes(b"")
    for text in ("{}", "[]", '{"image_size": 8}', "{"):
        (tmp_path / "keras_adasim.json").write_text(text)
        with pytest.raises(ValueError, match=r"keras_adasim\.json"):
            export.load_backbone(tmp_path)
        with pytest.raises(ValueError, match=r"backbone\.keras|keras_adasim\.json"):
            backbones.get(str(tmp_path))
