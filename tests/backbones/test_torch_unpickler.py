"""Fixtures: see the script in test_torch_weights.py."""

import argparse
import os
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

from keras_adasim.backbones.torch_unpickler import read_torch_file

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def test_every_dtype_and_layout_of_torch_tensors():
    arrays = {k: np.asarray(v) for k, v in read_torch_file(FIXTURES / "dtypes.pth").items()}
    count = np.arange(24)
    for name in ("float64", "float32", "float16", "int64", "int32", "uint8", "bfloat16"):
        assert arrays[name].dtype == np.dtype(name)
        np.testing.assert_array_equal(arrays[name].astype("float64"), count)
    np.testing.assert_array_equal(arrays["bool"], count > 11)
    np.testing.assert_array_equal(arrays["transposed"], count.reshape(4, 6).T)
    np.testing.assert_array_equal(arrays["slice"], count.reshape(4, 6)[1:3, ::2])
    np.testing.assert_array_equal(arrays["expanded"], [[0, 0], [1, 1], [2, 2]])
    np.testing.assert_array_equal(arrays["parameter"], [0, 1])
    assert arrays["scalar"] == 5
    assert arrays["empty"].shape == (0,)


class Hostile:
    """Runs a command when a pickle of it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def torch_file(path, data, **members):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)
    return path


def test_pickled_code_is_refused_and_not_run(tmp_path):
    harm = tmp_path / "harm"
    path = torch_file(tmp_path / "hostile.pth", pickle.dumps({"a": Hostile(harm)}))
    with pytest.raises(ValueError, match=r"asks for `posix\.mkdir`. Nothing"):
        read_torch_file(path)
    assert not harm.exists()


def test_settings_beside_the_tensors_are_inert(tmp_path):
    data = pickle.dumps({"args": argparse.Namespace(a=1), "lr": np.float64(0.1)}, protocol=2)
    checkpoint = read_torch_file(torch_file(tmp_path / "settings.pth", data))
    assert not hasattr(checkpoint["args"], "a")


def test_tensors_cannot_reach_beyond_their_storage(tmp_path):
    with zipfile.ZipFile(FIXTURES / "dtypes.pth") as archive:
        data = archive.read("dtypes/data.pkl")
    # Twenty-four numbers cut down to one.
    path = torch_file(tmp_path / "cut.pth", data, **{f"data/{i}": bytes(8) for i in range(10)})
    with pytest.raises(ValueError, match=r"inside their storages.*\(6, 4\).*damaged"):
        np.asarray(read_torch_file(path)["transposed"])


def test_refuses_what_torch_save_does_not_write(tmp_path):
    with pytest.raises(ValueError, match=r"zip format.*torch\.save\(torch\.load\("):
        read_torch_file(FIXTURES / "legacy.pth")
    with pytest.raises(ValueError, match="little-endian"):
        read_torch_file(torch_file(tmp_path / "big.pth", pickle.dumps({}), byteorder=b"big"))
    with zipfile.ZipFile(tmp_path / "other.pth", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(ValueError, match=r"one `data\.pkl`.*with 0"):
        read_torch_file(tmp_path / "other.pth")
