"""Several runs side by side: what differs, by how much, and whether that may be chance."""

import math

import numpy as np

from keras_adasim.reporting.charts import COLORS, line_chart, percent, shown
from keras_adasim.reporting.facts import typed
from keras_adasim.reporting.markup import joined, tag
from keras_adasim.reporting.run import standard_error
from keras_adasim.reporting.verdict import SURE, verdict

# Name, whether it is a share, and how it reads.
MEASURES = (
    ("rank_me", False, "rank of the features"),
    ("alpha_req", False, "alpha"),
    ("uniformity", False, "uniformity"),
    ("alignment", False, "alignment"),
    ("gate_open", True, "gate open"),
    ("partner_purity", True, "partner purity, itself counted"),
    ("neighbor_purity", True, "neighbor purity"),
    ("images_per_second", False, "images per second"),
)
CURVES = (
    ("knn_top1", True, "k-NN top-1"),
    ("rank_me", False, "Rank of the features"),
    ("gate_open", True, "Gate open"),
    ("loss", False, "Loss"),
)


def sections(runs):
    """All sections as HTML."""
    return joined(
        tag("section", tag("h2", "Results"), _results(runs), id="results"),
        _settings(runs),
        _curves(runs),
    )


def difference(run, first):
    """Difference of two runs' k-NN with its standard error: a tuple, or None.

    The images are taken for different ones; of the same ones the error is no larger.
    """
    if not run.knn or not first.knn:
        return None
    shares, counts = (run.knn["trained"], first.knn["trained"]), (run.knn_images, first.knn_images)
    errors = [standard_error(share, count) for share, count in zip(shares, counts, strict=True)]
    return shares[0] - shares[1], math.hypot(*errors)


def _results(runs):
    head = _row("", names(runs), "th")
    rows = [
        _row("verdict", [verdict(run)[0][1].rstrip(".:") for run in runs]),
        _row("epochs", [f"{run.finished_epochs} of {run.epochs}" for run in runs]),
        *[
            _row(f"k-NN, {name}", [_accuracy(run, name) for run in runs])
            for name in ("trained", "untrained", "raw pixels")
            if any(run.knn for run in runs)
        ],
        _row("k-NN, difference", ["-", *(_difference(run, runs[0]) for run in runs[1:])]),
    ]
    for name, is_share, words in MEASURES:
        values = [run.now(name) for run in runs]
        if any(value is not None for value in values):
            rows.append(
                _row(words, [_with_change(v, values[0], is_share, i) for i, v in enumerate(values)])
            )
    text = (
        f"Differences are those from {names(runs)[0]}; ± is their standard error for so many "
        f"images as were classified. Below {SURE:g} of them they may be chance."
    )
    table = tag("div", tag("table", head, rows), class_="wide")
    return joined(tag("p", text, class_="soft"), table)


def _accuracy(run, name):
    share = run.knn.get(name)
    if share is None:
        return "-"
    return percent(share, standard_error(share, run.knn_images))


def _difference(run, first):
    found = difference(run, first)
    if found is None:
        return "-"
    change, error = (100 * each for each in found)
    if math.isnan(error):
        return f"{change:+.1f}"
    sure = abs(change) >= SURE * error
    return f"{change:+.1f} ± {error:.1f}{'' if sure else ', may be chance'}"


def _with_change(value, first, is_share, place):
    if value is None:
        return "-"
    text = percent(value) if is_share else shown(value)
    if not place or first is None:
        return text
    change = f"{100 * (value - first):+.1f}" if is_share else f"{value - first:+.3g}"
    return f"{text} ({change})"


def _settings(runs):
    known = dict.fromkeys(name for run in runs for name in run.settings)
    differing = [
        name for name in known if len({typed(run.settings.get(name, "-")) for run in runs}) > 1
    ]
    head = _row("", names(runs), "th")
    rows = [_row(name, [typed(run.settings.get(name, "-")) for run in runs]) for name in differing]
    rows.append(_row("images", [f"{run.images:,}" for run in runs]))
    text = None if differing else tag("p", "All settings are the same.", class_="soft")
    table = tag("div", tag("table", head, rows), class_="wide")
    return tag("section", tag("h2", "Settings that differ"), text, table, id="settings")


def _curves(runs):
    charts = []
    shown_runs = runs[: len(COLORS)]
    for name, is_share, title in CURVES:
        factor, unit = (100, " %") if is_share else (1, "")
        epochs = np.unique(np.concatenate([run.column("epoch") for run in shown_runs] or [[]]))
        series = {}
        for label, run in zip(names(runs), shown_runs, strict=False):
            values = np.full(len(epochs), np.nan)
            values[np.searchsorted(epochs, run.column("epoch"))] = factor * run.column(name)
            if np.isfinite(values).any():
                series[label] = values
        if series:
            charts.append(line_chart(title, "", epochs + 1, series, unit=unit))
    rest = len(runs) - len(shown_runs)
    text = tag("p", f"The first {len(COLORS)} runs.", class_="soft") if rest else None
    if not charts:
        return None
    return tag(
        "section", tag("h2", "Curves"), text, tag("div", charts, class_="charts"), id="curves"
    )


def names(runs):
    """What the runs are called: by their folders, and by the folder above where those are alike."""
    found = [run.name for run in runs]
    if len(set(found)) < len(found):
        found = ["/".join(run.path.rsplit("/", 2)[-2:]) for run in runs]
    return [
        name if name not in found[:place] else f"{name} ({place + 1})"
        for place, name in enumerate(found)
    ]


def _row(name, cells, kind="td"):
    return tag("tr", tag("th", name), [tag(kind, cell, class_="n") for cell in cells])
