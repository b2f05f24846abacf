import pathlib
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from keras_adasim.backbones.torch_checkpoint import read_checkpoint

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def test_reads_what_npz_and_safetensors_hold(tmp_path):
    arrays = {
        "a.weight": np.arange(6, dtype="float32").reshape(2, 3),
        "b.bias": np.arange(3).astype(ml_dtypes.bfloat16),
    }
    safetensors.numpy.save_file(arrays, tmp_path / "w.safetensors")
    # The .npz format itself has no bfloat16.
    arrays_npz = {"a.weight": arrays["a.weight"]}
    np.savez(tmp_path / "w.npz", **arrays_npz)
    for name, expected in (("w.safetensors", arrays), ("w.npz", arrays_npz)):
        found = read_checkpoint(str(tmp_path / name))
        assert set(found) == set(expected)
        for key, array in expected.items():
            assert found[key].dtype == array.dtype
            np.testing.assert_array_equal(found[key], array)


def test_reads_all_of_a_torch_checkpoint():
    checkpoint = read_checkpoint(FIXTURES / "adasim_checkpoint.pth")
    assert checkpoint["epoch"] == 3
    assert checkpoint["teacher"]["head.last_layer.weight_v"].shape == (10, 6)


def test_refuses_other_endings_and_missing_files():
    with pytest.raises(ValueError, match=r"to end in .npz.*Received: path='weights\.h5'"):
        read_checkpoint("weights.h5")
    for name in ("nowhere.pth", "nowhere.npz", "nowhere.safetensors"):
        with pytest.raises(FileNotFoundError, match=rf"{name}'?, which isn't there"):
            read_checkpoint(name)


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_damaged_file_is_named(tmp_path, ending):
    for contents in (b"", b"no arrays", b"PK\x03\x04 cut off"):
        (tmp_path / f"w.{ending}").write_bytes(contents)
        with pytest.raises(ValueError, match=rf"w\.{ending} to be a sound \.{ending} file"):
            read_checkpoint(tmp_path / f"w.{ending}")


def test_refuses_a_torch_file_that_is_no_mapping(tmp_path):
    with zipfile.ZipFile(tmp_path / "list.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1]))
    with pytest.raises(ValueError, match=r"a mapping of names\. Received: list.*state_dict"):
        read_checkpoint(tmp_path / "list.pth")


def test_refuses_pickled_objects_in_npz(tmp_path):
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_checkpoint(tmp_path / "objects.npz")
