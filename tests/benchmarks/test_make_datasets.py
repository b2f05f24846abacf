"""The small data sets for protocols: their layouts, and that a seed decides them."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import make_datasets
from keras_adasim.data.masks import read_mask
from tests.commands.protocols import color_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    color_folder(folder / "cifar10", per_class=10)
    counts = make_datasets.make_all(folder / "cifar10", folder / "sets", small=True)
    return folder, counts


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_seed_decides_everything(made):
    folder, counts = made
    assert make_datasets.make_all(folder / "cifar10", folder / "2", small=True) == counts
    first = contents(folder / "sets")
    assert contents(folder / "2") == first
    make_datasets.make_all(folder / "cifar10", folder / "3", seed=1, small=True)
    assert contents(folder / "3") != first


def test_every_layout(made):
    folder, counts = made
    assert counts == {"retrieval": 28, "copies": 22, "video": 4, "dense": 7}
    sets = folder / "sets"
    gnd = json.loads((sets / "retrieval" / "gnd.json").read_text())
    for entry, query in zip(gnd["gnd"], gnd["qimlist"], strict=True):
        for kind in ("easy", "hard", "junk"):
            stems = {gnd["imlist"][i].rpartition("_")[0] for i in entry[kind]}
            assert stems == {query.rpartition("_")[0]}
    rows = list(csv.reader((sets / "copies" / "ground_truth.csv").read_text().splitlines()))
    assert sum(bool(reference) for _, reference in rows[1:]) == 4 == (len(rows) - 1) / 2
    mask = read_mask(sets / "video" / "Annotations" / "480p" / "cat" / "00000.png")
    assert np.unique(mask).tolist() == [0, 1, 2]
    mask = read_mask(sets / "dense" / "train" / "masks" / "0000.png")
    assert len(np.setdiff1d(mask, 255)) >= 2
    assert len((sets / "dense" / "classes.txt").read_text().split()) == 6


def test_an_object_lies_where_its_mask_says():
    frame, mask = np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8)
    white = Image.new("RGB", (30, 20), "white")
    make_datasets.paste_ellipse(frame, mask, 2, white, (8, 12), (4, 6))
    np.testing.assert_array_equal(mask == 2, frame[..., 0] == 255)
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 12, 6, 18)


def test_what_is_there_is_not_written_over(made, capsys):
    folder, _ = made
    for flags in ([folder / "cifar10", folder / "sets"], [folder / "none", folder / "4"]):
        with pytest.raises(SystemExit) as stop:
            make_datasets.main([f"--cifar10={flags[0]}", f"--out={flags[1]}"])
        assert str(stop.value).startswith("make_datasets.py: Expected")
    assert not (folder / "4").exists()
