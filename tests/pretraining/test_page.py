"""The page of a run: what is read from its folder, and what is said where something isn't there."""

import importlib.machinery
import json
import pathlib
import shutil
import sys
import types

import keras
import numpy as np
import pytest

import keras_adasim as ka
from keras_adasim.pretraining import page
from keras_adasim.pretraining.attention import check_may_tell
from keras_adasim.pretraining.evidence import Evidence
from keras_adasim.pretraining.run_folder import RunFolder
from tests.models import tiny
from tests.pretraining.runs import (
    IGNORED,
    SMALL,
    make_images,
    pretrain,
    quick,
    small_backbone,
)

pytestmark = pytest.mark.filterwarnings(IGNORED)


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick(with_page=True):
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data") / "images")


class Known(keras.callbacks.Callback):
    """What the model knows after each epoch."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        pairing, bank = self.model.pairing, self.model.bank
        self.epochs.append((pairing.distribution(np.arange(24)), bank.features.numpy()))


@pytest.fixture(scope="module")
def known():
    return Known()


@pytest.fixture(scope="module")
def finished(tmp_path_factory, images, known):
    """The folder of a run of two epochs."""
    out = tmp_path_factory.mktemp("runs") / "first"
    pretrain(images, out, backbone=tiny.vit(), callbacks=[known])
    return out


@pytest.fixture
def copy(finished, tmp_path):
    return pathlib.Path(shutil.copytree(finished, tmp_path / "copy"))


def read(folder, **arguments):
    return page.read_run(RunFolder(folder), **arguments)


def test_a_run_ends_with_its_page(finished):
    """Attention needs the network, which this run's own process alone has."""
    text = (finished / "report.html").read_text()
    for name in ("verdict", "curves", "gallery", "classes", "map", "attention", "settings", "cost"):
        assert f'id="{name}"' in text, name
    assert "Left out" not in text
    assert len(text) < 500_000


def test_what_is_read(finished, images):
    run = read(finished)
    assert (run.name, run.finished_epochs, run.epochs, run.images) == ("first", 2, 2, 24)
    assert run.is_finished
    assert [row["epoch"] for row in run.log] == [0, 1]
    assert run.plan["data"] == [str(images)]
    assert run.plan["knn_images"] == run.knn_images == 24
    assert {"epochs", "batch_size", "window"} <= set(run.given)
    assert run.reasons["learning_rate"].startswith("per 256 images")
    assert run.plan["memory"]["window"] == 6 * 24 * 4
    assert run.plan["memory"]["bank"] > 24 * 16 * 4
    assert run.result["memory"]["host"] > 10**7
    assert run.files[1] == ("PNG, RGB", "24 of 10 x 10 pixels")
    assert run.purity.images.tolist() == [12, 12]
    assert run.class_names == ["bright", "dark"]
    assert len(run.feature_map.points) == 24
    assert set(run.feature_map.names) <= {
        f"{c}/{i}.png" for c in run.class_names for i in range(12)
    }
    assert set(run.gallery.pictures) == set(run.gallery.names)
    assert "attention" in run.missing


def test_the_evidence_is_that_of_the_model(finished, known):
    """Bank and window, read without the model, equal those that it had; an epoch before, too."""
    run = RunFolder(finished)
    evidence = Evidence(run, run.written("settings")["settings"])
    (before, _), (now, rows) = known.epochs
    np.testing.assert_array_equal(evidence.features, rows)
    for pairing, expected in ((evidence.pairing, now), (evidence.earlier, before)):
        for here, there in zip(pairing.distribution(np.arange(24)), expected, strict=True):
            np.testing.assert_array_equal(here, there)
    assert evidence.keys[0] == "bright/0.png"


def test_a_finished_run_is_called_again_and_its_page_fails(copy, images, monkeypatch, capsys):
    """The run doesn't, and keeps the reasons of its start."""

    def fail(run):
        raise RuntimeError("a page that\ncan't be written")

    before = read(copy, has_pictures=False)
    with monkeypatch.context() as patch:
        patch.setattr(page, "run_page", fail)
        result = pretrain(images, copy, backbone=tiny.vit())
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "warning       no page was written: RuntimeError: a page that can't be written"
    run = read(copy, has_pictures=False)
    assert run.reasons == before.reasons
    assert (result["epochs"], run.finished_epochs) == (2, 2)


def test_images_that_are_gone_are_left_out_and_it_is_said(copy, images, tmp_path):
    plan = json.loads((copy / "plan.json").read_text())
    (copy / "plan.json").write_text(json.dumps({**plan, "data": [str(tmp_path / "nowhere")]}))
    run = read(copy)
    assert run.missing["pictures"].startswith("The images are gone")
    assert "labels" in run.missing["classes"]
    assert (run.gallery.pictures, run.gallery.classes, run.feature_map.sheet) == ({}, {}, None)
    assert "Left out: pictures" in page.run_page(run)
    moved = shutil.copytree(images, tmp_path / "moved")
    assert read(copy, data_dir=[str(moved)]).gallery.pictures
    (moved / "train" / "dark" / "3.png").unlink()
    (moved / "train" / "dark" / "4.png").write_text("no image")
    pictures = read(copy, data_dir=[str(moved)]).gallery.pictures
    assert 15 <= len(pictures) < 24


def test_pictures_stay_when_the_images_have_gone(copy, tmp_path, images):
    """And go if that is wanted; with a damaged doctor.json there is a page all the same."""
    before = (copy / "report.html").read_text()
    plan = json.loads((copy / "plan.json").read_text())
    (copy / "plan.json").write_text(json.dumps({**plan, "data": [str(tmp_path / "nowhere")]}))
    said = []
    assert page.write_page(copy, say=said.append) == copy / "report.html"
    assert said == [
        "kept from the page before, as the images can't be read: neighbors, classes, map, attention"
    ]
    after = (copy / "report.html").read_text()
    assert after.count("<img") == before.count("<img") > 0
    assert "Kept from the page before" in after
    (copy / "doctor").mkdir()
    (copy / "doctor" / "doctor.json").write_text("{")
    page.write_page(copy, keep=False)
    after = (copy / "report.html").read_text()
    assert "<img" not in after
    assert "Left out: doctor. Expected" in after
    page.write_page(copy, data_dir=[str(images)])
    assert "<img" in (copy / "report.html").read_text()


def test_the_doctors_findings_are_on_the_page(copy, tmp_path):
    facts = {"train": 24, "test": 24, "found": {"one_color": 1}}
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "doctor.json").write_text(json.dumps(facts))
    (tmp_path / "found" / "one_color.csv").write_text("levels,path\n0,black.png\n")
    page.write_page(copy, doctor=tmp_path / "found")
    assert "black.png" in (copy / "report.html").read_text()
    shutil.copytree(tmp_path / "found", copy / "doctor")
    assert read(copy).findings.found == {"one_color": 1}
    with pytest.raises(ValueError, match=r"`doctor` to be a folder.*without a doctor.json"):
        page.write_page(copy, doctor=tmp_path)
    with pytest.raises(ValueError, match=r"no `doctor` with several runs"):
        page.write_page([copy, copy], doctor=tmp_path / "found")


def test_a_network_without_attention_is_not_rebuilt_for_it():
    for name in ("resnet18_cifar", "swin_tiny", "hub:dinov2_small"):
        with pytest.raises(ValueError, match="Only our Vision Transformers"):
            check_may_tell(name)
    for name in ("vit_mini", "vit_small", "runs/earlier", None):
        check_may_tell(name)


def test_without_bank_or_window_or_checkpoint(copy):
    newest = copy / "checkpoints" / "epoch-2" / "manifest.json"
    manifest = json.loads(newest.read_text())
    del manifest["files"]["bank.npz"]
    newest.write_text(json.dumps(manifest))
    run = read(copy)
    assert run.missing["neighbors"] == "The run has no bank."
    assert (run.gallery, run.purity) == (None, None)
    page.run_page(run)
    newest.write_text(json.dumps({"format": 99, "keras_adasim": "later", "files": {}}))
    run = read(copy)
    assert "Continue the run with that version" in run.missing["neighbors, map and attention"]
    shutil.rmtree(copy / "checkpoints")
    assert read(copy).missing == {"neighbors, map and attention": "There is no checkpoint yet."}


def test_self_pairing_one_epoch_no_labels(tmp_path):
    """An objective without a teacher; cosines in the place of p_win."""
    settings = {name: SMALL[name] for name in ("batch_size", "xla")}
    parts = {"backbone": small_backbone(), "augment": tiny.crops_only(), "epochs": 1}
    parts |= {"objective": "simsiam", "out_dim": 8, "hidden_dim": 8, "predictor_hidden_dim": 4}
    ka.pretrain(tiny.images(), tmp_path / "run", pairing="self", **parts, **settings)
    text = (tmp_path / "run" / "report.html").read_text()
    for words in ("there is no window", "There is no gate:", "There are no labels"):
        assert words in text
    assert read(tmp_path / "run").missing["pictures"].startswith("The images were in memory")


def test_several_runs(finished, copy, tmp_path):
    out = page.write_page([finished, copy], tmp_path / "both.html")
    assert "+0.0 ± 0.0" in out.read_text()
    (copy / "result.json").unlink()
    assert page.write_page(copy) == copy / "report.html"


def test_umap_is_taken_where_it_is_installed(monkeypatch):
    class UMAP:
        def __init__(self, metric, random_state):
            self.seed = random_state

        def fit_transform(self, features):
            return features[:, :2] + self.seed

    module = types.ModuleType("umap")
    module.UMAP, module.__spec__ = UMAP, importlib.machinery.ModuleSpec("umap", None)
    features = np.eye(20)
    assert "PCA" in page.in_the_plane(features, 1)[1]
    monkeypatch.setitem(sys.modules, "umap", module)
    points, how = page.in_the_plane(features, 1)
    np.testing.assert_array_equal(points, features[:, :2] + 1)
    assert how.startswith("UMAP")


def test_folders_that_are_no_run_are_named(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match=rf"`run`.*Received: run={path}, "):
            page.write_page(path)
