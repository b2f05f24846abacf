"""Turns, tables and refusals of the comparison, with contestants that need no PyTorch."""

import dataclasses
import io
import json

import numpy as np
import pytest
from absl import flags
from PIL import Image

from benchmarks import peers
from benchmarks.contestants import ours, pipe, work
from tests.benchmarks.fake_contestant import Failing, Fake
from tests.pretraining.runs import IGNORED, eagerly, one_block

TINY = dataclasses.replace(work.CASES["vit_tiny"], **work.TINY)


def parsed(*words):
    values = flags.FlagValues()
    peers.define(values)
    values(["peers.py", *words])
    return values


def test_lines_are_answered_and_failures_told():
    questions = [{"do": "prepare", "work": {}}, *[{"do": "round", "kind": "step"}] * 2]
    asked, answers = io.StringIO("".join(json.dumps(q) + "\n" for q in questions)), io.StringIO()
    pipe.serve(Failing(), asked, answers)
    ready, first, second = map(json.loads, answers.getvalue().splitlines())
    assert ready["parameters"] == 10
    assert first["seconds"] == 2.0
    assert second == {"error": "MemoryError: too large"}


def measured(factor):
    seconds = {kind: [each * factor] * 3 for kind, each in Fake.seconds.items()}
    return {**Fake().prepare({}), "seconds": seconds, "peak": [1e9, 2e9]}


def test_a_table_has_rates_and_ratios_of_each_round():
    found = {"ours": measured(1), "timm": measured(2)}
    found["timm"]["seconds"]["step"] = [2.0, 6.0, 5.0]
    head, rule, first, second = peers.table_of(found, images=8)
    assert head.count("|") == rule.count("|") == first.count("|") == second.count("|")
    assert first == "| ours | 4.0 | 8.0 | 2.0 | 2.00 | 10 |"
    assert second.startswith("| timm | 1.6 (2.50, 1.00 to 3.00) | 4.0 (2.00, 2.00 to 2.00) |")


def test_a_section_says_settings_load_and_who_is_missing():
    lines = peers.section("vit_tiny", TINY, {"ours": measured(1)}, {"timm": "gone"}, (1, 2), "cmd")
    text = "\n".join(lines)
    for word in ("batch_size 4", "out_dim 32", "Left out: timm: gone.", "1.0 before", "    cmd"):
        assert word in text


def test_settings_are_those_of_the_flags():
    made = peers.work_of("vit_tiny", parsed("--batch_size=6", "--num_local=2", "--bank=0"))
    assert (made.batch_size, made.num_local, made.local_size, made.bank) == (6, 2, 16, 0)
    assert made.sizes == (32, 32, 16, 16)
    # Of methods without local crops and prototypes these were no settings.
    made = peers.work_of("resnet18_byol", parsed("--num_local=2", "--out_dim=9"))
    assert (made.num_local, made.out_dim) == (0, 256)


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    assert peers.missing("ours", "") is None
    assert peers.missing("timm", "") == "torch, torchvision, timm isn't installed"
    assert "--official" in peers.missing("official", "")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--cases=vit_huge", "--cases"),
        ("--contestants=", "--contestants"),
        ("--official=nowhere", "main_adasim.py"),
        ("--rounds=0", "rounds"),
        ("--precision=float8", "precision"),
    ],
)
def test_wrong_flags_get_one_line(flag, message, capsys):
    assert peers.main(["peers.py", flag]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_files_are_made(tmp_path):
    work.make_files(tmp_path, 3, (20, 10))
    files = sorted(tmp_path.rglob("*.jpg"))
    assert len(files) == 3
    for file in files:
        with Image.open(file) as image:
            assert image.size == (20, 10)


def test_ready_views_are_equal_in_both_layouts():
    last, first = TINY.ready_views(channels_last=True), TINY.ready_views(channels_last=False)
    for one, other in zip(last, first, strict=True):
        np.testing.assert_array_equal(one.transpose(0, 3, 1, 2), other)


@pytest.mark.large
def test_who_fails_is_out_and_the_others_go_on(tmp_path, capsys):
    module = "tests.benchmarks.fake_contestant"
    names = [f"{module}.{kind}" for kind in ("Fake", "Dying", "Slow", "Failing")]
    found, failed = peers.measure(TINY, names, rounds=2, logs=tmp_path)
    assert list(found) == [f"{module}.Fake", f"{module}.Slow"]
    assert found[names[2]]["seconds"] == {"step": [4.0] * 2, "input": [2.0] * 2, "whole": [8.0] * 2}
    assert "ended with 3" in failed[names[1]]
    assert "too large" in failed[names[3]]
    assert capsys.readouterr().err.count("left out") == 2
    assert (tmp_path / f"{names[0]}.log").read_text() == "a library prints\n"


@pytest.mark.large
@pytest.mark.filterwarnings(IGNORED)
def test_ours_makes_all_rounds(tmp_path):
    changes = {**work.TINY, "steps": 1, "image_size": 8, "folder": str(tmp_path)}
    made = dataclasses.replace(work.CASES["vit_tiny"], **changes)
    work.make_files(tmp_path, made.images, made.file_size)
    with one_block(), eagerly():
        contestant = ours.Ours()
        ready = contestant.prepare(dataclasses.asdict(made))
        answers = {kind: contestant.round(kind) for kind in work.KINDS}
    assert ready["parameters"] > 1000
    for kind, answer in answers.items():
        assert answer["seconds"] > 0
        assert ("peak" in answer) == (kind == "step")
    assert int(contestant.model.optimizer.iterations) == 2
