"""The lines of the results, arm by arm."""

import json
import math

from benchmarks.claims.cells import Cell
from benchmarks.claims.intervals import differences, mean_interval
from keras_adasim.files import write_file


def read(path):
    """The lines of a file, as dicts whose `cell` is a `Cell`; none without a file.

    Raises:
        ValueError: If a line isn't one.
    """
    lines = []
    for number, text in enumerate(path.read_text().splitlines() if path.exists() else []):
        try:
            line = json.loads(text)
            lines.append({**line, "cell": Cell(**line["cell"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"Expected lines of JSON, one a cell, in {path}. Received: line {number + 1}, "
                f"{text[:60]!r}. Remove it, and its cell is run again"
            ) from error
    return lines


def append(path, line):
    """Adds a line; the file is replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text() if path.exists() else ""
    write_file(path, before + json.dumps(line) + "\n")


class Results:
    """Finished cells by arm and seed.

    Args:
        lines: What `read` returned.
    """

    def __init__(self, lines):
        self.lines = lines
        self.failed = [line for line in lines if "failed" in line]
        self.arms = {}
        for line in lines:
            if "failed" not in line:
                self.arms.setdefault(line["cell"].arm, {})[line["cell"].seed] = line

    def values(self, arm, name):
        """Dict of seeds to a measure after training; seeds without it are left out."""
        found = {seed: line.get(name) for seed, line in self.arms.get(arm, {}).items()}
        return {seed: value for seed, value in found.items() if value is not None}

    def last(self, arm, name):
        """Dict of seeds to the last value of a curve."""
        curves = {s: line["curves"].get(name) for s, line in self.arms.get(arm, {}).items()}
        return {seed: each[-1] for seed, each in curves.items() if each and each[-1] is not None}

    def gains(self, arm, other=None):
        """Dict of seeds to an arm's k-NN less that of another, by default of the image itself."""
        other = arm.own if other is None else other
        return differences(self.values(arm, "knn_after"), self.values(other, "knn_after"))

    def curve(self, arm, name):
        """A curve's places, means and half widths over the seeds that have a value there."""
        found = {}
        for line in self.arms.get(arm, {}).values():
            curves = line["curves"]
            for epoch, value in zip(curves["epoch"], curves.get(name, ()), strict=False):
                if value is not None:
                    found.setdefault(epoch, []).append(value)
        places = sorted(found)
        intervals = [mean_interval(found[place]) for place in places]
        return places, [100 * mean for mean, _ in intervals], [100 * half for _, half in intervals]


def shown(values, sign=False, digits=1):
    """A mean with its interval in percent, or a dash."""
    mean, half = mean_interval(list(values.values() if isinstance(values, dict) else values))
    if math.isnan(mean):
        return "-"
    text = f"{100 * mean:{'+' if sign else ''}.{digits}f}"
    return text if math.isnan(half) else f"{text} ± {100 * half:.{digits}f}"
