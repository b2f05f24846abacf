"""Charts as SVG: curves whose values a pointer reads."""

import json
import math

import numpy as np

from keras_adasim.reporting.markup import Markup, joined, tag

COLORS = ("var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)")
WIDTH, HEIGHT = 320, 170
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 22
MOST_POINTS = 300
SPACE = "\N{NO-BREAK SPACE}"


def line_chart(title, note, epochs, series, levels=(), unit=""):
    """A figure with curves over the epochs.

    Args:
        title: What it shows.
        note: A sentence below it.
        epochs: (n,) numbers.
        series: Dict of names to (n,) floats; NaN where there is none. At most four.
        levels: Pairs of a name and a value to draw as horizontal lines.
        unit: Behind every value, such as " %".

    Returns:
        `Markup`.
    """
    epochs = np.asarray(epochs, float)
    kept = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), MOST_POINTS)).astype(int))
    epochs, series = epochs[kept], {n: np.asarray(v, float)[kept] for n, v in series.items()}
    colors = dict(zip(series, COLORS, strict=False))
    values = np.concatenate([*series.values(), [value for _, value in levels]])
    scale = _Scale(epochs, values[np.isfinite(values)])
    drawn = [scale.axes(unit)]
    for place, (_, value) in enumerate(levels):
        color = COLORS[(len(series) + place) % len(COLORS)]
        path = f"M{LEFT} {scale.y(value):.1f}H{WIDTH - RIGHT}"
        drawn.append(tag("path", d=path, class_="mark", stroke=color))
    for name, curve in series.items():
        drawn.append(scale.curve(epochs, curve, colors[name]))
    chart = {
        "label": "epoch",
        "unit": unit,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
        "x": [_rounded(each) for each in epochs],
        "px": [round(float(scale.x(each)), 1) for each in epochs],
        "series": [
            {"name": name, "color": colors[name], "y": [_rounded(y) for y in curve]}
            for name, curve in series.items()
        ],
    }
    key = [_key(name, colors[name]) for name in series] if len(series) + len(levels) > 1 else []
    for place, (name, value) in enumerate(levels):
        color = COLORS[(len(series) + place) % len(COLORS)]
        key.append(_key(f"{name} {shown(value)}{unit}", color))
    return tag(
        "figure",
        tag("h3", title),
        tag("div", key, class_="key") if key else None,
        tag(
            "svg",
            drawn,
            tag("path", class_="cursor grid", d="", style="stroke:var(--soft)"),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=described(title, series, unit),
            data_chart=json.dumps(chart, separators=(",", ":")),
        ),
        tag("figcaption", note),
    )


def described(title, series, unit=""):
    """A chart in words, for those who can't see it."""
    parts = []
    for name, curve in series.items():
        known = curve[np.isfinite(curve)]
        if len(known):
            ends = f"from {shown(known[0])}{unit} to {shown(known[-1])}{unit}"
            parts.append(f"{name} {ends}")
    return f"{title}: {'; '.join(parts)}"


def bar(share):
    """A bar for a share in [0, 1]."""
    return tag("div", tag("i", style=f"width:{100 * share:.1f}%"), class_="bar")


def shown(value):
    """A number for people: four digits, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{float(f'{value:.4g}'):g}"


def percent(share, error=None):
    """A share for people, with its standard error if there is one; its parts stay in one line."""
    if share is None or not math.isfinite(share):
        return "-"
    if error is not None and math.isfinite(error):
        return f"{100 * share:.1f}{SPACE}±{SPACE}{100 * error:.1f}{SPACE}%"
    digits = 2 if 0.00005 < share < 0.001 else 1
    return f"{100 * share:.{digits}f}{SPACE}%"


def _key(name, color):
    return tag("span", tag("i", style=f"background:{color}"), name)


def _rounded(value):
    return float(f"{value:.4g}") if math.isfinite(value) else None


class _Scale:
    """From values to places in the chart."""

    def __init__(self, epochs, values):
        low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        if high - low < 1e-9 * max(abs(high), 1e-9):
            low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
        self.ticks = ticks(low, high)
        self.low, self.high = min(low, self.ticks[0]), max(high, self.ticks[-1])
        self.first, self.last = (epochs[0], epochs[-1]) if len(epochs) else (0, 1)

    def x(self, epoch):
        span = max(self.last - self.first, 1)
        return LEFT + (epoch - self.first) / span * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self, unit):
        """Lines and numbers."""
        parts = []
        for value in self.ticks:
            y = round(float(self.y(value)), 1)
            parts.append(tag("path", d=f"M{LEFT} {y}H{WIDTH - RIGHT}", class_="grid"))
            label = shown(value) + unit.replace(" ", "")
            parts.append(tag("text", label, x=LEFT - 5, y=y + 4, text_anchor="end"))
        for epoch in _whole_ticks(self.first, self.last):
            x, anchor = round(float(self.x(epoch)), 1), "middle"
            if x > WIDTH - RIGHT - 8:
                anchor = "end"
            label = tag("text", f"{epoch:.0f}", x=x, y=HEIGHT - 6, text_anchor=anchor)
            parts.append(label)
        return joined(parts)

    def curve(self, epochs, values, color):
        """A line through what is known; a point where there is only one."""
        known = np.flatnonzero(np.isfinite(values))
        points = [f"{self.x(epochs[i]):.1f} {self.y(values[i]):.1f}" for i in known]
        if len(points) == 1:
            x, y = points[0].split()
            return tag("circle", cx=x, cy=y, r=3, fill=color)
        if not points:
            return Markup("")
        return tag("path", d="M" + "L".join(points), class_="curve", stroke=color)


def ticks(low, high, most=5):
    """Round numbers within a range that isn't empty, or the ends of one that has none."""
    raw = (high - low) / most
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * each for each in (1, 2, 2.5, 5, 10) if unit * each >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)] or [low, high]


def _whole_ticks(first, last):
    if last - first < 1:
        return [first]
    return [each for each in ticks(first, last, 6) if each == round(each)] or [first, last]
