"""`keras-adasim retrieval`, by a backbone of mean colors."""

import json
import pickle
import re
import textwrap

import keras
import numpy as np
import pytest

from keras_adasim.commands import folder_protocol, retrieval
from keras_adasim.data.decode import decode_image
from keras_adasim.layers.preprocessing import resize_bytes
from tests.commands.folders import changed, cosines, patch_colors, refused
from tests.commands.test_console import run


def color(path):
    """The mean color of an image whose sides are rounded to multiples of 4."""
    pixels = decode_image(path.read_bytes(), 3)
    sides = [max(1, round(side / 4)) * 4 for side in pixels.shape[:2]]
    return resize_bytes(pixels, sides).numpy().mean(axis=(0, 1))


def slow_map(folder, easy, hard, junk):
    """Mean average precision of mean colors of whole images, by the definition."""
    gnd = json.loads((folder / "gnd.json").read_text())
    colors = {name: color(folder / "jpg" / f"{name}.jpg") for name in gnd["imlist"]}
    colors |= {name: color(folder / "jpg" / f"{name}.jpg") for name in gnd["qimlist"]}
    each = []
    for query, entry in zip(gnd["qimlist"], gnd["gnd"], strict=True):
        wanted = {
            i
            for kind, counts in zip(("easy", "hard"), (easy, hard), strict=True)
            for i in entry[kind]
            if counts
        }
        ignored = {i for kind in junk for i in entry[kind]}
        sims = cosines([colors[query]], [colors[name] for name in gnd["imlist"]])[0]
        order = [i for i in np.argsort(-sims, kind="stable") if i not in ignored]
        places = [place for place, i in enumerate(order) if i in wanted]
        areas = [((j / p if p else 1.0) + (j + 1) / (p + 1)) / 2 for j, p in enumerate(places)]
        each.append(sum(areas) / len(wanted))
    return np.mean(each)


def test_a_table_and_json_as_by_the_definition(network, small_sets, tmp_path, capsys):
    flags = ["--backbone=colors", f"--data_dir={small_sets / 'retrieval'}", "--scale=1"]
    flags += ["--image_size=48", "--nocrop_queries", f"--out={tmp_path / 'out'}"]
    status, out, err = run(capsys, "retrieval", *flags)
    assert status == 0, err
    assert "3 queries, 25 images" in out
    found = json.loads((tmp_path / "out" / "retrieval.json").read_text())
    levels = {each["level"]: each for each in found["results"]}
    for level, parts in (
        ("Easy", (True, False, ("junk", "hard"))),
        ("Medium", (True, True, ("junk",))),
        ("Hard", (False, True, ("junk", "easy"))),
    ):
        expected = slow_map(small_sets / "retrieval", *parts)
        # Gray images are one color but for the last digit, and so tie.
        assert levels[level]["map"] == pytest.approx(expected, abs=0.01), level
        assert re.search(rf"{level} +{100 * levels[level]['map']:.2f} ± ", out)
    assert found["images"]["database"]["number"] == 25
    assert found["settings"]["image_size"] == 48
    assert len(levels["Easy"]["average_precision"]) == levels["Easy"]["queries"] == 3
    status, out, _ = run(capsys, "retrieval", *flags)
    assert out.count("features from the cache") == 2
    assert json.loads((tmp_path / "out" / "retrieval.json").read_text()) == found


def test_queries_are_cut_and_scales_averaged(network, small_sets, capsys, monkeypatch):
    """Each of these is another feature, kept beside the others."""
    flags = ["--backbone=colors", f"--data_dir={small_sets / 'retrieval'}", "--image_size=16"]
    for extra in ([], ["--nocrop_queries"], ["--scale=1", "--scale=0.5"]):
        assert run(capsys, "retrieval", *flags, *extra)[0] == 0
    assert len(list((network.folder / "features").iterdir())) == 5
    monkeypatch.setattr(retrieval, "QUICK_QUERIES", 2)
    monkeypatch.setattr(retrieval, "QUICK_IMAGES", 9)
    assert "2 queries, 9 images" in run(capsys, "retrieval", *flags, "--quick")[1]


def test_a_feature_is_the_mean_over_scales():
    network = patch_colors(side=4)
    scales = retrieval.Scales(network, 16, (1.0, 0.5))
    assert [scales.sides(*each) for each in ((40, 20), (20, 40), (12, 9), (2, 90))] == [
        *[(16, 8), (8, 16), (12, 8), (4, 16)]
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (1, 16, 8, 3), np.uint8)
    halved = pixels.reshape(8, 2, 4, 2, 3).astype(float).mean(axis=(1, 3))
    both = pixels[0].mean(axis=(0, 1)) + halved.mean(axis=(0, 1))
    found = scales.look(keras.ops.convert_to_tensor(pixels))[0]
    np.testing.assert_allclose(found, both / np.linalg.norm(both), atol=2e-3)


def edited(folder, tmp_path, **changes):
    """A copy whose gnd.json has other values; of the first query those in `gnd`."""

    def change(copy):
        facts = json.loads((copy / "gnd.json").read_text())
        facts["gnd"][0] |= changes.pop("gnd", {})
        (copy / "gnd.json").write_text(json.dumps(facts | changes))

    return changed(folder, tmp_path, change)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gnd": {"easy": [0, 99]}}, "99, which no image has"),
        ({"gnd": {"easy": [0, 1.5]}}, "1.5, which no image has"),
        ({"gnd": {"easy": [True]}}, "True, which no image has"),
        ({"gnd": {"junk": None}}, "a list junk in gnd[0]"),
        ({"gnd": {"junk": [0]}}, "no id in two lists of gnd[0]. Received: 0 again in junk"),
        ({"gnd": {"bbx": [1, 2, 3]}}, "as bbx in gnd[0]"),
        ({"gnd": {"bbx": [3, 0, 1, 5]}}, "as bbx in gnd[0]"),
        ({"gnd": {"bbx": None}}, "a bbx for each query, or for none. Received: gnd[0] without"),
        ({"gnd": {"bbx": [900, 0, 950, 9]}}, "begin within the query's image"),
        ({"qimlist": ["astronaut_query"]}, "an entry of gnd for each query"),
        ({"imlist": 3}, "a list imlist"),
        ({"imlist": ["a"] * 25}, "names in imlist, each once. Received: 'a'"),
        ({"imlist": [f"x{i}" for i in range(25)]}, "'x0', which no image has; 25 of 25"),
    ],
)
def test_ground_truths_that_are_none(network, small_sets, tmp_path, capsys, changes, message):
    folder = edited(small_sets / "retrieval", tmp_path, **changes)
    flags = ["--backbone=colors", f"--data_dir={folder}", "--image_size=16"]
    refused(capsys, run, "retrieval", flags, message)
    assert not list(network.folder.iterdir())


def test_refused_in_one_line(network, small_sets, tmp_path, capsys, monkeypatch):
    folder = small_sets / "retrieval"
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("{")

    def without_images(copy):
        for path in (copy / "jpg").iterdir():
            path.unlink()

    for flags, message in (
        ([f"--data_dir={tmp_path / 'none'}"], "nothing of that name"),
        ([f"--data_dir={tmp_path / 'empty'}"], "gnd.json, which is not there"),
        ([f"--data_dir={changed(folder, tmp_path, without_images)}"], "--data_dir to be a folder"),
        ([f"--data_dir={folder}", f"--ground_truth={tmp_path / 'broken.json'}"], "broken.json"),
        ([f"--data_dir={folder}", "--scale=0"], "scale=0"),
        ([f"--data_dir={folder}", "--scale=nan"], "scale=nan"),
        (
            [f"--data_dir={folder}", "--image_size=30"],
            "Expected --image_size to be a multiple of 4",
        ),
        ([f"--data_dir={folder}", "--image_size=-4"], "image_size=-4"),
        ([f"--data_dir={folder}", "--batch_size=0"], "batch_size=0"),
    ):
        refused(capsys, run, "retrieval", ["--backbone=colors", *flags], message)
    made = patch_colors(size=8)
    monkeypatch.setattr(folder_protocol, "load_network", lambda identifier: made)
    flags = ["--backbone=colors", f"--data_dir={folder}"]
    refused(capsys, run, "retrieval", flags, "Expected --scale to be 1 alone")
    assert run(capsys, "retrieval", *flags, "--scale=1")[0] == 0
    flags += ["--scale=1", "--image_size=16"]
    refused(capsys, run, "retrieval", flags, "--image_size to be 8, the only size")


def test_the_help_makes_json_of_the_official_pickle(tmp_path, monkeypatch, capsys):
    """And runs nothing that a stranger's pickle asks for."""
    monkeypatch.chdir(tmp_path)
    code = retrieval.DESCRIPTION.partition("    import json, pickle\n")[2]
    code = "import json, pickle\n" + textwrap.dedent(code.partition("\n\n")[0])
    ids = np.array([3, 1], np.int64)
    gnd = {"imlist": ["a", "b"], "qimlist": ["c"], "gnd": [{"easy": ids, "bbx": [1.5, 2]}]}
    for protocol in (2, 4):
        (tmp_path / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(gnd, protocol=protocol))
        exec(code, {})
        made = json.loads((tmp_path / "gnd.json").read_text())
        assert made == gnd | {"gnd": [{"easy": [3, 1], "bbx": [1.5, 2]}]}
    (tmp_path / "gnd_roxford5k.pkl").write_bytes(pickle.dumps({"imlist": print}))
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print"):
        exec(code, {})
