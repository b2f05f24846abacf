"""The run's measures, epoch by epoch."""

import numpy as np

from keras_adasim.reporting.charts import line_chart
from keras_adasim.reporting.markup import tag

# Title, measures with their names in the chart, whether they are shares, and what is good.
CHARTS = (
    (
        "k-NN",
        {"knn_top1": "top-1"},
        True,
        "Share of images whose class their nearest neighbors find. Higher is better.",
    ),
    (
        "Linear probe",
        {"probe_top1": "top-1"},
        True,
        "Share of images whose class a linear classifier on the features finds. Higher is better.",
    ),
    (
        "Loss",
        {"loss": "loss"},
        False,
        "It says little: it may fall in a collapse, and rise while the network learns.",
    ),
    (
        "Entropy of the teacher",
        {"teacher_entropy": "of an image", "teacher_mean_entropy": "of the mean"},
        False,
        "Both at their largest, or both near 0, are a collapse; an image's below "
        "the mean's is healthy.",
    ),
    (
        "Rank of the features",
        {"rank_me": "rank"},
        False,
        "Dimensions that they use. A fall towards 1 is a collapse.",
    ),
    (
        "Deviation of the features",
        {"feature_std": "deviation"},
        False,
        "1 is healthy, 0 is one feature for all images.",
    ),
    (
        "Gate",
        {"gate_open": "open", "partner_is_other": "paired with another"},
        True,
        "Share of the images whose own older self is their strongest neighbor, and of those that "
        "have another partner.",
    ),
    (
        "Purity",
        {"partner_purity": "partners", "neighbor_purity": "neighbors"},
        True,
        "Share that is of the image's class; an image that is its own partner counts as right.",
    ),
    (
        "Candidates",
        {"effective_candidates": "effective number"},
        False,
        "Among which a partner is drawn, where the gate is open.",
    ),
    (
        "Churn",
        {"neighbor_churn": "new neighbors"},
        True,
        "Share of the neighbors that weren't there "
        "an epoch before. It falls as the features settle.",
    ),
    (
        "Uniformity",
        {"uniformity": "uniformity"},
        False,
        "How evenly the features spread; lower is more even, 0 is all alike.",
    ),
    ("Alignment", {"alignment": "alignment"}, False, "How far apart two views of an image lie."),
    (
        "Staleness",
        {"staleness": "staleness"},
        False,
        "How far the bank's rows are from what the network says now.",
    ),
    ("Spectrum", {"alpha_req": "alpha"}, False, "Decay of the features' spectrum. Near 1 is good."),
    (
        "Speed",
        {"images_per_second": "images per second"},
        False,
        "Of the training steps, without the measures between epochs.",
    ),
    (
        "k-NN, top 5",
        {"knn_top5": "top-5"},
        True,
        "The same, where the class may be any of the five likeliest.",
    ),
)
UNSHOWN = {"epoch", "partner_is_self", "skipped_steps", "collapse_signs"}


def section(run):
    """All curves as HTML."""
    if not run.log:
        return None
    charts = [chart for each in CHARTS if (chart := _chart(run, *each))]
    known = {name for _, measures, _, _ in CHARTS for name in measures} | UNSHOWN
    others = sorted({name for row in run.log for name in row} - known)
    charts += [chart for name in others if (chart := _chart(run, name, {name: name}, False, ""))]
    counted = [name for name in ("skipped_steps", "collapse_signs") if np.nansum(run.column(name))]
    charts += [_chart(run, name.replace("_", " "), {name: name}, False, "") for name in counted]
    hint = "Point at a curve, or touch it, to read its values."
    return tag(
        "section",
        tag("h2", "Curves"),
        tag("p", hint, class_="soft"),
        tag("div", charts, class_="charts"),
        id="curves",
    )


def _chart(run, title, measures, is_share, note):
    factor, unit = (100, " %") if is_share else (1, "")
    series = {name: factor * _values(run, measure) for measure, name in measures.items()}
    series = {name: values for name, values in series.items() if np.isfinite(values).any()}
    if not series:
        return None
    levels = [(name, factor * value) for name, value in _levels(run, title) if value is not None]
    return line_chart(title, note, run.column("epoch") + 1, series, levels, unit)


def _values(run, measure):
    if measure == "partner_is_other":
        return 1 - run.column("partner_is_self")
    return run.column(measure)


def _levels(run, title):
    if title == "k-NN":
        knn = run.knn
        return [(name, knn.get(name)) for name in ("untrained", "raw pixels")]
    if title == "Linear probe":
        return [("untrained", run.start.get("probe_before"))]
    if title == "Rank of the features":
        return [("untrained", run.before("rank_me"))]
    if title == "Purity" and run.purity is not None:
        return [("chance", run.purity.overall()["chance"][0])]
    return []
