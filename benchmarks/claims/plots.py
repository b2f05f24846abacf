"""Plots as SVG files of their own: dots with intervals, and curves."""

import math

import numpy as np

from keras_adasim.reporting.charts import shown, ticks
from keras_adasim.reporting.markup import Markup, tag

COLORS = ("#2563c9", "#c2410c", "#0f7b5f", "#8b3fb8", "#5d636d", "#b42318")
STYLE = "text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#1d1f23}.soft{fill:#5d636d}"
WIDTH, ROW, LEFT, RIGHT, TOP = 720, 24, 210, 24, 34
LEFT_OF_CURVES, HEIGHT, BOTTOM, KEY = 60, 320, 40, 200


def dots(title, rows, label):
    """Means with their intervals, one a row, and a line at zero.

    Args:
        title: What is shown.
        rows: List of tuples: a name, mean, half width (NaN without), number of a color.
        label: Of the axis.

    Returns:
        `Markup` of an SVG.
    """
    ends = [0.0]
    for _, mean, half, _ in rows:
        ends += [mean - np.nan_to_num(half), mean + np.nan_to_num(half)]
    marks = _ticks(ends)
    low, high = min([*marks, *ends]), max([*marks, *ends])
    bottom = TOP + ROW * len(rows)

    def x(value):
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    parts = [tag("text", title, x=8, y=20, font_weight="bold")]
    for mark in marks:
        stroke = "#1d1f23" if mark == 0 else "#dfe1e5"
        parts.append(tag("path", d=f"M{x(mark)} {TOP}V{bottom}", stroke=stroke))
        parts.append(_text(shown(mark), x(mark), bottom + 16, "middle"))
    for number, (name, mean, half, color) in enumerate(rows):
        y, color = TOP + ROW * (number + 0.5), COLORS[color % len(COLORS)]
        parts.append(_text(name, LEFT - 10, y + 4, "end"))
        if half >= 0:
            line = f"M{x(mean - half)} {y}H{x(mean + half)}"
            parts.append(tag("path", d=line, stroke=color, stroke_width=2))
        parts.append(tag("circle", cx=x(mean), cy=y, r=4, fill=color))
    parts.append(_text(label, (LEFT + WIDTH - RIGHT) / 2, bottom + 34, "middle"))
    return _svg(bottom + 46, title, parts)


def curves(title, series, label, across="epoch", places=None):
    """Lines, with a band or bars for the intervals.

    Args:
        title: What is shown.
        series: Dict of names to tuples: places (n,), means (n,), half widths (n,).
        label: Unit of the vertical axis.
        across: Of the horizontal axis.
        places: Dict of places to their names on the horizontal axis; numbers by default.

    Returns:
        `Markup` of an SVG.
    """
    points = np.concatenate([np.asarray(each[0], float) for each in series.values()])
    ends = [
        mean + sign * np.nan_to_num(half)
        for _, *each in series.values()
        for sign in (-1, 1)
        for mean, half in zip(*each, strict=True)
    ]
    marks = _ticks(ends)
    low, high = min([*marks, *ends]), max([*marks, *ends])
    first, last = points.min(), max(points.max(), points.min() + 1)
    title = f"{title}, {label}"
    right, bottom = WIDTH - KEY, HEIGHT - BOTTOM

    def x(value):
        return round(
            LEFT_OF_CURVES + (value - first) / (last - first) * (right - LEFT_OF_CURVES), 1
        )

    def y(value):
        return round(bottom - (value - low) / (high - low) * (bottom - TOP), 1)

    parts = [tag("text", title, x=8, y=20, font_weight="bold")]
    for mark in marks:
        line = f"M{LEFT_OF_CURVES} {y(mark)}H{right}"
        parts.append(tag("path", d=line, stroke="#1d1f23" if mark == 0 else "#dfe1e5"))
        parts.append(_text(shown(mark), LEFT_OF_CURVES - 6, y(mark) + 4, "end"))
    places = places or {mark: shown(mark) for mark in _ticks([first, last])}
    for place, name in places.items():
        parts.append(_text(name, x(place), bottom + 16, "middle"))
    parts.append(_text(across, (LEFT_OF_CURVES + right) / 2, bottom + 34, "middle"))
    for number, (name, (at, means, halves)) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        line = "L".join(f"{x(a)} {y(m)}" for a, m in zip(at, means, strict=True))
        parts.append(tag("path", d="M" + line, stroke=color, stroke_width=2, fill="none"))
        for a, mean, half in zip(at, means, halves, strict=True):
            shifted = x(a) + 2 * (number - (len(series) - 1) / 2)
            if half >= 0:
                bar = f"M{shifted} {y(mean - half)}V{y(mean + half)}"
                parts.append(tag("path", d=bar, stroke=color, opacity=0.5))
            parts.append(tag("circle", cx=x(a), cy=y(mean), r=2.5, fill=color))
        height = TOP + 8 + 20 * number
        parts.append(tag("circle", cx=right + 16, cy=height, r=4, fill=color))
        parts.append(_text(name, right + 26, height + 4, "start"))
    return _svg(HEIGHT, title, parts)


def _ticks(values):
    low, high = min(values), max(values)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return ticks(low, high)


def _text(text, x, y, anchor, **attributes):
    return tag("text", text, x=round(float(x), 1), y=y, text_anchor=anchor, **attributes)


def _svg(height, title, parts):
    height = math.ceil(height)
    return tag(
        "svg",
        tag("style", Markup(STYLE)),
        tag("rect", width=WIDTH, height=height, fill="#fff"),
        parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        width=WIDTH,
        height=height,
        role="img",
        aria_label=title,
    )
