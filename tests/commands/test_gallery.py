"""`keras-adasim gallery` and `report`, of runs and of SavedModels."""

import json

import numpy as np
import pytest

import keras_adasim as ka
from keras_adasim.commands import gallery
from keras_adasim.commands.backbone import Embedder
from tests.commands.test_console import run
from tests.pretraining.runs import IGNORED, eagerly, make_images, no_export, pretrain

pytestmark = pytest.mark.filterwarnings(IGNORED)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data") / "images", per_class=6)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, images):
    out = tmp_path_factory.mktemp("runs") / "run"
    with eagerly(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ka.export, "export_backbone", no_export)
        pretrain(images, out)
    return out


@pytest.fixture(autouse=True)
def _mean_color(monkeypatch):
    """Backbones are the mean of each channel, without a graph."""

    def load(identifier):
        return Embedder(lambda images: {"features": np.mean(images, axis=(1, 2))}, 10, 3)

    monkeypatch.setattr(gallery, "load_embedder", load)


def test_a_run(finished, tmp_path, capsys):
    flags = [f"--run={finished}", f"--out={tmp_path}", "--count=3", "--choose=churns"]
    status, out, err = run(capsys, "gallery", *flags)
    assert (status, err) == (0, "")
    assert out.startswith("3 images with their neighbors: ")
    content = json.loads((tmp_path / "gallery.json").read_text())
    assert content["epoch"] == 2
    image = content["images"][0]
    assert {"image", "why", "gate_open", "neighbors"} == set(image)
    assert np.isclose(sum(entry["p_win"] for entry in image["neighbors"]), 1, atol=1e-4)
    assert image["neighbors"][-1]["epochs"] == [2]
    assert "The gate is" in (tmp_path / "gallery.html").read_text()
    status, _, err = run(capsys, "gallery", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert "--overwrite" in err


def test_a_checkpoint(finished, tmp_path, capsys):
    places = finished / "checkpoints"
    status, _, err = run(
        capsys, "gallery", f"--run={places / 'epoch-1'}", f"--out={tmp_path}", "--count=2"
    )
    assert (status, err) == (0, "")
    assert json.loads((tmp_path / "gallery.json").read_text())["epoch"] == 1
    flags = [f"--run={places / 'epoch-9'}", f"--out={tmp_path / 'again'}"]
    status, _, err = run(capsys, "gallery", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert "--run to be a whole checkpoint, one of epoch-1, epoch-2" in err


def test_images_by_their_paths(finished, images, tmp_path, capsys):
    whole = images / "train" / "dark" / "3.png"
    flags = [f"--path={whole}", "--path=bright/1.png", f"--run={finished}", f"--out={tmp_path}"]
    assert run(capsys, "gallery", *flags)[0] == 0
    content = json.loads((tmp_path / "gallery.json").read_text())
    assert [image["image"] for image in content["images"]] == ["dark/3.png", "bright/1.png"]


def test_a_saved_model_has_cosines(images, tmp_path, capsys):
    flags = ["--backbone=x", f"--data_dir={images}", f"--out={tmp_path}", "--k=4", "--count=2"]
    status, _, err = run(capsys, "gallery", *flags)
    assert (status, err) == (0, "")
    page = (tmp_path / "gallery.html").read_text()
    assert "there is no window" in page
    content = json.loads((tmp_path / "gallery.json").read_text())
    for image in content["images"]:
        assert image["neighbors"][0]["image"] == image["image"]
        assert [set(entry) for entry in image["neighbors"]] == [{"image", "similarity"}] * 4


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ((), "--run"),
        (("--run={run}", "--backbone=x"), "backbone=x"),
        (("--run=/nowhere",), "run=/nowhere"),
        (("--run={run}", "--data_dir=/nowhere"), "--data_dir"),
        (("--run={run}", "--path=none.png"), "--path"),
        (("--run={run}", "--choose=best"), "--choose=best"),
        (("--run={run}", "--count=0"), "--count"),
        (("--run={run}", "--seed=-1"), "--seed"),
        (("--backbone=x",), "--data_dir"),
        (("--backbone=x", "--data_dir={images}", "--choose=surest"), "--choose"),
        (("--backbone=x", "--data_dir={images}", "--k=50"), "--k"),
    ],
)
def test_wrong_flags_get_one_line(finished, images, tmp_path, capsys, flags, word):
    flags = [flag.format(run=finished, images=images) for flag in flags]
    status, _, err = run(capsys, "gallery", f"--out={tmp_path / 'out'}", *flags)
    assert (status, err.count("\n")) == (2, 1), err
    assert word in err
    assert not (tmp_path / "out").exists()


def test_report_takes_folders_without_a_flag(finished, tmp_path, capsys, monkeypatch):
    (finished / "report.html").unlink()
    status, out, err = run(capsys, "report", str(finished))
    assert (status, out, err) == (0, f"{finished / 'report.html'}\n", "")
    both = tmp_path / "both.html"
    status, out, _ = run(capsys, "report", str(finished), str(finished), f"--out={both}")
    assert (status, out) == (0, f"{both}\n")
    assert "2 runs" in both.read_text()
    for words in ((), ("/nowhere",), (f"{tmp_path}",)):
        status, _, err = run(capsys, "report", *words)
        assert (status, err.count("\n")) == (2, 1)
        assert "--run" in err
