"""A linear classifier beside a run: it is told everywhere, and changes nothing of the run."""

import csv
import json

import numpy as np
import pytest

from keras_adasim.pretraining import page
from keras_adasim.pretraining.run_folder import RunFolder
from keras_adasim.reporting import curves
from tests.pretraining.runs import IGNORED, make_images, pretrain, quick

pytestmark = [pytest.mark.large, pytest.mark.filterwarnings(IGNORED)]


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick():
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data") / "images")


@pytest.fixture(scope="module")
def with_probe(tmp_path_factory, images):
    out = tmp_path_factory.mktemp("runs") / "with"
    return out, pretrain(images, out, probe=True)


def logged(folder):
    with (folder / "log.csv").open(newline="") as file:
        return [row.get("probe_top1") for row in csv.DictReader(file)]


def arrays(folder):
    """Every array of the newest checkpoint, by file and place; of callbacks none."""
    found = {}
    for path in sorted((folder / "checkpoints" / "epoch-2").glob("*.np*")):
        if path.stem in ("Measures", "images"):
            continue
        loaded = np.load(path)
        members = [loaded[name] for name in loaded.files] if path.suffix == ".npz" else [loaded]
        found |= {f"{path.name} {place}": array for place, array in enumerate(members)}
    return found


@pytest.mark.slow
def test_the_run_is_bit_by_bit_the_one_without(with_probe, images, tmp_path):
    assert "probe_after" not in pretrain(images, tmp_path / "without")
    first, second = arrays(with_probe[0]), arrays(tmp_path / "without")
    assert list(first) == list(second)
    assert len(first) > 10
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert logged(tmp_path / "without") == [None, None]


def test_it_is_told_in_log_result_summary_and_page(with_probe, images, tmp_path, capsys):
    out, result = with_probe
    assert result["probe_images"] == 24
    assert 0 <= result["probe_before"] <= 1
    assert float(logged(out)[-1]) == result["probe_after"]
    assert json.loads((out / "start.json").read_text())["probe_before"] == result["probe_before"]
    run = page.read_run(RunFolder(out), has_pictures=False)
    text = curves.section(run)
    assert "Linear probe" in text
    pretrain(images, tmp_path / "dry", probe=True, dry_run=True)
    assert "probe         a linear classifier" in capsys.readouterr().out
    pretrain(images, out, probe=True)
    assert "linear probe  untrained " in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_goes_on_says_the_same(with_probe, images, tmp_path):
    """And it may be switched on later."""
    pretrain(images, tmp_path / "run", epochs=1)
    result = pretrain(images, tmp_path / "run", epochs=2, probe=True)
    assert [bool(cell) for cell in logged(tmp_path / "run")] == [False, True]
    assert result["probe_images"] == 24


def test_images_without_labels_are_refused(images, tmp_path):
    flat = [images / "train" / "dark", images / "train" / "bright"]
    with pytest.raises(ValueError, match=r"labeled images for `probe`.*Leave `probe` out"):
        pretrain(flat, tmp_path / "run", probe=True)
    with pytest.raises(ValueError, match=r"`probe` to be .*probe='yes'"):
        pretrain(images, tmp_path / "run", probe="yes")
    assert not (tmp_path / "run").exists()
