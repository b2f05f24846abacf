"""The experiment of the paper's claims: its cells, their lines, and the page made of them."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from benchmarks import evidence
from benchmarks.claims import page, results
from benchmarks.claims.cells import SEEDS, TEMPERATURES, WINDOW, Cell, all_cells, digest, gated
from benchmarks.claims.intervals import differences, mean_interval, verdict
from benchmarks.claims.purity import GatePurity
from benchmarks.claims.settings import CANDIDATES, SETTINGS, TRIAL_CELLS, candidate, merged
from keras_adasim.pairing import AdaptiveWindow, SelfPairing

GAINS = {"nearest": (-0.04, -0.05, -0.03), "adasim": (0.01, -0.01, 0.02)}


def line_of(cell, knn):
    """What a run would have written."""
    curves = {"epoch": [5, 10], "knn_top1": [0.3, knn], "nearest": [0.2, 0.25]}
    if cell.pairing == "adasim":
        curves |= {"gate_open": [None, 0.2], "behind_gate": [None, 0.4]}
    return {
        "cell": cell.to_dict(),
        "settings": digest(SETTINGS),
        "train_images": 2000,
        "knn_raw_pixels": 0.26,
        "knn_before": 0.3,
        "knn_after": knn,
        "knn_images": 4000,
        "gate_open": 0.2 if cell.pairing == "adasim" else None,
        "partner_is_self": 1.0,
        "collapse": {},
        "curves": curves,
        "seconds": 80.0,
        "processor_seconds": 150.0,
        "machine": "a machine",
        "written": "2026-11-28T05:00:00+00:00",
    }


@pytest.fixture
def lines(tmp_path):
    """DINO by itself, naive and gated, of three seeds."""
    path = tmp_path / "evidence.jsonl"
    for seed in range(3):
        own = 0.4 + 0.02 * seed
        results.append(path, line_of(Cell("dino", "self", seed), own))
        gain = {name: gains[seed] for name, gains in GAINS.items()}
        results.append(path, line_of(Cell("dino", "nearest", seed), own + gain["nearest"]))
        results.append(path, line_of(gated("dino", seed), own + gain["adasim"]))
    return path


def test_intervals_are_those_of_scipy():
    values = np.random.default_rng(0).normal(0.5, 0.1, 5)
    mean, half = mean_interval(values)
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    np.testing.assert_allclose((mean - half, mean + half), expected)
    assert mean_interval([0.5])[0] == 0.5
    assert all(map(math.isnan, (mean_interval([0.5])[1], *mean_interval([]))))


def test_differences_are_of_seeds_that_both_have():
    assert differences({0: 3, 1: 5, 3: 1}, {1: 1, 0: 2, 2: 9}) == {0: 1, 1: 4}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.02, 0.03, 0.025), "above"),
        ((-0.02, -0.03, -0.025), "below"),
        ((0.02, -0.03, 0.01), "unclear"),
        ((0.0, 0.0), "equal"),
        ((0.02,), "unclear"),
    ],
)
def test_a_sign_is_told_only_by_an_interval_on_one_side(values, expected):
    assert verdict(values) == expected


def test_whole_seeds_come_first_and_all_that_was_asked_is_there():
    cells = all_cells()
    assert len(set(cells)) == len(cells)
    per_seed = [cell for cell in cells if cell.seed == 4]
    main = cells[: len(SEEDS) * len(per_seed)]
    assert [cell.seed for cell in main] == sorted(cell.seed for cell in main)
    assert {cell.objective for cell in main[:9]} == {"dino", "byol", "simclr"}
    for objective in ("dino", "byol", "simsiam", "simclr", "moco_v3"):
        assert {Cell(objective, "self", 4), Cell(objective, "nearest", 4)} <= set(cells)
    for objective in ("dino", "byol"):
        assert {gated(objective, 4, t) for t in TEMPERATURES} <= set(cells)
    assert Cell("dino", "oracle", 4) in cells
    assert len({cell.name for cell in cells}) == len(cells)
    assert {cell.window for cell in cells} == {None, WINDOW // 2, WINDOW, 2 * WINDOW}
    assert all(cell.own in cells for cell in cells)


def test_the_page_has_the_intervals_of_its_lines(lines):
    evidence.main(["--report_only", f"--output={lines}"])
    text = lines.with_suffix(".md").read_text()
    half = 100 * stats.t.ppf(0.975, 2) * stats.sem(GAINS["nearest"])
    own = 100 * stats.t.ppf(0.975, 2) * stats.sem([0.4, 0.42, 0.44])
    (row,) = [row for row in text.splitlines() if row.startswith("| `nearest`")]
    assert f"| -4.0 ± {half:.1f} |" in row
    assert f"| `self` | 3 | 42.0 ± {own:.1f} | - |" in text
    assert f"[{-4 - half:+.1f}, {-4 + half:+.1f}] of 3 seeds: **lower**" in text
    assert "DINO, `adasim T=0.01` against self: +0.7 points" in text
    assert "the sign can't be told" in text
    assert f"**9 of {len(all_cells())} cells are here**" in text
    for plot in ("differences", "temperature", "purity_dino"):
        drawn = (lines.parent / f"evidence_{plot}.svg").read_text()
        assert drawn.startswith("<svg")
        assert "nan" not in drawn
        assert f"(evidence_{plot}.svg)" in text


def test_a_cell_that_ended_is_on_the_page(lines):
    """No cell is left out because of what it shows."""
    cell = Cell("byol", "nearest", 0)
    kept = ("settings", "seconds", "processor_seconds", "machine", "written", "train_images")
    failed = {name: value for name, value in line_of(cell, 0).items() if name in kept}
    results.append(lines, {**failed, "cell": cell.to_dict(), "failed": "a loss of NaN"})
    text = page.write(lines, results.read(lines), "command").read_text()
    assert f"{cell.name}: ended, a loss of NaN" in text


def test_what_is_done_is_not_run_again(lines, capsys):
    evidence.main(["--list", f"--output={lines}"])
    printed = capsys.readouterr().out.splitlines()
    assert sum("done " in line for line in printed[:-1]) == 9
    assert printed[0].split() == ["1", "done", "dino_self_0"]
    missing = evidence.missing_cells(lines)
    assert missing == [cell for cell in all_cells() if cell not in all_done(lines)]
    assert missing[0] == Cell("byol", "self", 0)


def test_trials_are_of_self_alone_and_of_a_seed_of_their_own(lines):
    assert {cell.pairing for cell in TRIAL_CELLS} == {"self"}
    assert not {cell.seed for cell in TRIAL_CELLS} & set(SEEDS)
    before = evidence.missing_trials(lines)
    assert len(before) == len(CANDIDATES) * len(TRIAL_CELLS)
    cell, settings, more = before[0]
    tried = {**line_of(cell, 0.35), "settings": digest(settings), **more}
    results.append(page.trials_of(lines), tried)
    assert evidence.missing_trials(lines) == before[1:]
    text = page.write(lines, results.read(lines), "command").read_text()
    assert f"| {more['trial']} | DINO | 26.0 | 30.0 | 35.0 |" in text


def test_a_candidate_has_other_entries_and_no_other_names():
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}) == {"a": {"b": 1, "c": 3}}
    for name in CANDIDATES:
        for group in ("network", "of", "objectives"):
            assert candidate(name)[group].keys() == SETTINGS[group].keys()


def all_done(path):
    return {line["cell"] for line in results.read(path)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cells=-1"], "--cells"),
        (["--hours=nan"], "--hours"),
        (["--output=page.md"], "--output"),
        ([], "--data_dir"),
        (["--data_dir=nowhere"], "nowhere"),
        (["--cell=1"], "cell"),
    ],
)
def test_wrong_flags_get_one_line(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        evidence.main([f"--output={tmp_path / 'lines.jsonl'}", *words])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


def test_lines_of_other_settings_are_refused(lines, capsys):
    text = lines.read_text().replace(digest(SETTINGS), "01234567")
    lines.write_text(text)
    with pytest.raises(SystemExit):
        evidence.main([f"--output={lines}", "--data_dir=here"])
    assert "01234567" in capsys.readouterr().err


def test_a_broken_line_is_named(lines, capsys):
    lines.write_text(lines.read_text() + '{"cell": ')
    with pytest.raises(SystemExit):
        evidence.main([f"--output={lines}", "--list"])
    assert "line 10" in capsys.readouterr().err


class _Bank:
    def __init__(self, ids):
        self.ids = ids

    def records(self):
        return self.ids, np.full(self.ids.shape, 0.9, "float32")


class _Model:
    def __init__(self, pairing, ids):
        self.pairing, self.bank = pairing, _Bank(ids)


def test_purity_behind_the_gate_counts_other_images_alone():
    labels = [0, 0, 1, 1]
    ids = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])
    pairing = AdaptiveWindow(4, window=1, topk=2, temperature=1e6, seed=0)
    pairing.push(ids, np.array([[0.9, 0.8]] * 4))
    callback = GatePurity(labels, every=1)
    callback.set_model(_Model(pairing, ids))
    values = callback.evaluate()
    # Image 1's nearest is 2 of the other class; 3's is 0, whose gate is closed.
    assert values["nearest"] == pytest.approx(2 / 4)
    assert values["nearest_open"] == pytest.approx(2 / 3)
    partners = pairing.partners(np.arange(4))
    others = np.flatnonzero(partners != np.arange(4))
    right = [labels[i] == labels[partners[i]] for i in others]
    assert values.get("behind_gate") == (pytest.approx(np.mean(right)) if right else None)
    callback.set_model(_Model(SelfPairing(), ids))
    assert set(callback.evaluate()) == {"nearest"}


def test_a_line_is_json_of_one_line(lines):
    for text in lines.read_text().splitlines():
        assert json.loads(text)["cell"]["objective"] == "dino"
