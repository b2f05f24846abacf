import importlib.util
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.export import DeviationError, export_onnx, onnx_file, preprocess
from tests.export.backbones import MEAN, STD, convolutional, tiny, transformer

HAS_ONNX = all(importlib.util.find_spec(name) for name in onnx_file.MODULES)
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="'keras-adasim[onnx]' isn't installed")
# What tf2onnx and TensorFlow say of each other's names.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_without_the_extra_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "MODULES", ("keras", "none_such"))
    with pytest.raises(ImportError, match=r"pip install 'keras-adasim\[onnx\]'.*no none_such"):
        export_onnx(tiny(), tmp_path / "x.onnx", 16)
    with pytest.raises(ValueError, match=r"ends in \.onnx"):
        export_onnx(tiny(), tmp_path / "x.keras", 16)
    assert not os.listdir(tmp_path)


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("make", [convolutional, transformer])
def test_onnxruntime_gives_what_the_backbone_gives(tmp_path, make):
    import onnxruntime

    backbone = make()
    assert export_onnx(backbone, tmp_path / "x.onnx", 16, MEAN, STD) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    (images,) = session.get_inputs()
    assert (images.name, images.type) == ("images", "tensor(uint8)")
    assert images.shape == ["batch", "height", "width", 3]
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["mean"]) == list(MEAN)
    for shape in ((1, 16, 16, 3), (3, 40, 23, 3)):
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        expected = backbone(preprocess(tf.constant(pixels), 16, MEAN, STD))
        names = ["features", "tokens"]
        for name, found in zip(names, session.run(names, {"images": pixels}), strict=True):
            np.testing.assert_allclose(found, expected[name], atol=1e-4)


@needs_onnx
@pytest.mark.slow
def test_deep_images_and_half_precision(tmp_path):
    import onnxruntime

    from keras_adasim import backbones

    backbone = backbones.VisionTransformer(16, 8, 12, 1, 2, dtype="mixed_bfloat16")
    deep = {"value_range": (0.0, 4000.0)}
    assert export_onnx(backbone, tmp_path / "x.onnx", 16, **deep) < 1e-3
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    assert session.get_inputs()[0].type == "tensor(float)"


@needs_onnx
@pytest.mark.slow
def test_above_the_limit_nothing_is_replaced(tmp_path, monkeypatch):
    path = tmp_path / "x.onnx"
    path.write_text("precious")
    monkeypatch.setattr(onnx_file, "ONNX_LIMIT", -1.0)
    monkeypatch.setattr("keras_adasim.export.deviation.ROUNDINGS", -1)
    with pytest.raises(DeviationError, match="ONNX model"):
        export_onnx(tiny(), path, 16, overwrite=True)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["x.onnx"]
