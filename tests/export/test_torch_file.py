import os

import numpy as np
import pytest

from keras_adasim import backbones
from keras_adasim.export import DeviationError, export_torch, torch_file
from tests.export.backbones import tiny, transformer


def test_it_is_read_again_and_compared(tmp_path, monkeypatch):
    backbone = transformer(depth=1)
    assert export_torch(backbone, tmp_path / "x.safetensors") == 0
    copy = transformer(depth=1)
    backbones.load_torch_weights(copy, tmp_path / "x.safetensors")
    images = np.ones((1, 16, 16, 3), np.float32)
    np.testing.assert_array_equal(copy(images)["features"], backbone(images)["features"])
    monkeypatch.setattr(torch_file, "load_torch_weights", lambda model, path: None)
    with pytest.raises(DeviationError, match="PyTorch file"):
        export_torch(backbone, tmp_path / "y.safetensors")
    with pytest.raises(ValueError, match="torch_names"):
        export_torch(tiny(), tmp_path / "z.safetensors")
    assert os.listdir(tmp_path) == ["x.safetensors"]
