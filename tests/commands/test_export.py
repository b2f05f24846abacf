"""`keras-adasim export`: what is refused before a model is built; test_commands.py has the rest."""

import pytest

from keras_adasim.commands import export
from keras_adasim.export import onnx_file
from tests.commands.test_console import run


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out=x.h5", "--format=keras"], "Expected --out to be a file that ends in .keras"),
        (["--out=x", "--format=torch"], "ends in .safetensors"),
        (["--out=.", "--format=savedmodel"], "Expected --out to be a new or empty folder"),
        (["--out=x", "--format=tflite"], "one of savedmodel, keras, onnx, preset, torch"),
        (["--out=x.safetensors", "--format=torch", "--image_size=8"], "no --image_size"),
        (["--out=x.keras", "--format=keras"], "Expected --backbone to be the folder of a run"),
        (["--out=", "--format=keras"], "--out to be a path"),
        ([], "--out=OUT"),
    ],
)
def test_refused_in_one_line(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    status, _, err = run(capsys, "export", f"--backbone={tmp_path}", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_checkpoint_that_is_not_there_names_those_that_are(tmp_path, capsys):
    (tmp_path / "checkpoints" / "epoch-3").mkdir(parents=True)
    flags = [f"--backbone={tmp_path / 'checkpoints' / 'epoch-9'}", f"--out={tmp_path / 'x'}"]
    status, _, err = run(capsys, "export", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert "whole checkpoint, one of epoch-3. Received: backbone=" in err


def test_without_the_extra_no_model_is_built(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(onnx_file, "MODULES", ("none_such",))
    monkeypatch.setattr(export, "open_network", None)
    flags = [f"--backbone={tmp_path}", f"--out={tmp_path / 'x.onnx'}", "--format=onnx"]
    status, _, err = run(capsys, "export", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert "pip install 'keras-adasim[onnx]'" in err
