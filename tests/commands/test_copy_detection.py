"""`keras-adasim copy_detection`, by a backbone of mean colors."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

from keras_adasim.commands import copy_detection
from keras_adasim.commands.copy_truth import read_copy_truth
from keras_adasim.layers.preprocessing import resize_bytes
from tests.commands.folders import changed, cosines, refused
from tests.commands.test_console import run


def slow_vectors(folder):
    """Mean color and the pooled colors of 4 x 4 patches, of images resized to 8 x 8 pixels."""
    vectors = {}
    for path in sorted(folder.iterdir()):
        pixels = resize_bytes(np.asarray(Image.open(path).convert("RGB")), (8, 8)).numpy() / 255
        patches = [pixels[y : y + 4, x : x + 4].mean(axis=(0, 1)) for y in (0, 4) for x in (0, 4)]
        pooled = np.mean(np.power(patches, 4), axis=0) ** 0.25
        vectors[path.stem] = np.concatenate([np.mean(patches, axis=0), pooled])
    return vectors


def test_a_table_and_json_as_by_the_definition(network, small_sets, tmp_path, capsys):
    folder = small_sets / "copies"
    flags = ["--backbone=colors", f"--data_dir={folder}", "--k=3", "--image_size=8"]
    flags += [f"--out={tmp_path / 'out'}"]
    status, out, err = run(capsys, "copy_detection", *flags)
    assert status == 0, err
    assert "8 queries, 6 images, 4 copies" in out
    found = json.loads((tmp_path / "out" / "copy_detection.json").read_text())
    plain, whitened = found["results"]
    assert (plain["vectors"], plain["size"]) == ("as they are", 6)
    assert (whitened["vectors"], whitened["size"]) == ("whitened", 6)
    queries, database = (slow_vectors(folder / name) for name in ("queries", "database"))
    sims = cosines(list(queries.values()), list(database.values()))
    truth = dict(csv.reader((folder / "ground_truth.csv").read_text().splitlines()))
    scores, is_match = [], []
    for query, row in zip(queries, sims, strict=True):
        for place in np.argsort(-row)[:3]:
            scores.append(row[place])
            is_match.append(list(database)[place] == truth[query])
    expected = average_precision_score(is_match, scores) * sum(is_match) / 4
    assert plain["micro_ap"] == pytest.approx(expected, abs=1e-3)
    top1 = [
        list(database)[np.argmax(row)] == truth[q] for q, row in zip(queries, sims, strict=True)
    ]
    assert plain["top1"] == sum(top1) / 4
    assert found["images"]["distractors"]["number"] == 8
    assert run(capsys, "copy_detection", *flags)[1].count("features from the cache") == 3
    assert json.loads((tmp_path / "out" / "copy_detection.json").read_text()) == found


def test_without_distractors_and_quick(network, small_sets, tmp_path, capsys, monkeypatch):
    def without(copy):
        (copy / "distractors").rename(tmp_path / "moved")

    folder = changed(small_sets / "copies", tmp_path, without)
    flags = ["--backbone=colors", "--k=2", f"--data_dir={folder}"]
    status, out, _ = run(capsys, "copy_detection", *flags)
    assert status == 0
    assert "nothing is whitened" in out
    assert "whitened  " not in out
    monkeypatch.setattr(copy_detection, "QUICK_QUERIES", 3)
    monkeypatch.setattr(copy_detection, "QUICK_IMAGES", 4)
    out = run(capsys, "copy_detection", *flags, "--quick")[1]
    assert "3 queries, 4 images, 2 copies" in out


def test_forms_of_the_ground_truth(tmp_path):
    expected = {"a": ["r1", "r2"], "b": [], "c": ["r3"]}
    for name, text in (
        ("x.csv", "query,reference\na,r1\na,r2\nb,\n\nc,r3\n"),
        ("x.csv", "\ufeffquery_id,reference_id,note\r\na, r1,x\r\na,r2\r\nb,,\r\nc,r3\r\n"),
        ("x.json", '{"a": ["r1", "r2"], "b": [], "c": ["r3"]}'),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        assert read_copy_truth(tmp_path / name) == expected
    for name, text in (
        ("x.csv", ""),
        ("x.csv", "a,r1\n"),
        ("x.csv", "query,reference\na\n"),
        ("x.csv", "query,reference\n,r1\n"),
        ("x.csv", "query,reference\na,\n"),
        ("x.json", "{"),
        ("x.json", "[]"),
        ("x.json", '{"a": "r1"}'),
        ("x.json", '{"a": [1]}'),
        ("x.json", "{}"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=rf"^Expected .*{name}"):
            read_copy_truth(tmp_path / name)


def test_refused_in_one_line(network, small_sets, tmp_path, capsys):
    folder = small_sets / "copies"

    def rename(copy):
        (copy / "database" / "r0001.png").rename(copy / "database" / "other.png")

    def one_distractor(copy):
        for path in sorted((copy / "distractors").iterdir())[1:]:
            path.unlink()

    def no_queries(copy):
        (copy / "queries").rename(copy / "asked")

    for change, flags, message in (
        (rename, [], "'r0001', which no image has; 1 of 1"),
        (one_distractor, [], "two images or more in distractors/"),
        (no_queries, [], "a folder queries/ in --data_dir"),
        (None, ["--k=7"], "Expected --k from 1 to 6, the number of images in the database"),
        (None, ["--k=0"], "k=0"),
        (None, ["--power=0"], "power=0"),
        (None, ["--power=nan"], "power=nan"),
        (None, ["--whitening_dim=-1"], "whitening_dim=-1"),
        (None, ["--whitening_dim=8"], "--whitening_dim below 8, the number of distractors"),
        (None, ["--ground_truth=/nowhere.csv"], "/nowhere.csv, which is not there"),
        (None, ["--image_size=6"], "--image_size to be a multiple of 4"),
    ):
        path = folder if change is None else changed(folder, tmp_path, change)
        given = ["--backbone=colors", f"--data_dir={path}", "--k=2", *flags]
        refused(capsys, run, "copy_detection", given, message)
        assert not list(network.folder.iterdir())
    given = ["--backbone=colors", f"--data_dir={folder}", "--k=2", "--whitening_dim=7"]
    refused(capsys, run, "copy_detection", given, "Expected --whitening_dim to be at most 6")
