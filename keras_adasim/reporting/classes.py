"""What labels tell: how often partners are right, and which classes are taken for each other."""

import math

import numpy as np

from keras_adasim.reporting.charts import percent
from keras_adasim.reporting.markup import joined, tag

MOST_CLASSES = 25


def section(run):
    """Purity over all, by class, and who bootstraps whom, as HTML; None without labels."""
    if run.purity is None:
        return None
    purity = run.purity
    paired = int(purity.bootstrapped.sum())
    return tag(
        "section",
        tag("h2", "Partners and classes"),
        tag("p", _gap(purity.overall(), paired), class_="soft"),
        _by_class(purity, run.class_names),
        _heat(purity, run.class_names) if paired else None,
        id="classes",
    )


def _gap(shares, paired):
    chance, neighbor = percent(shares["chance"][0]), shares["neighbor"]
    near = "" if math.isnan(neighbor[0]) else f", of nearest neighbors {percent(*neighbor)}"
    if not paired:
        return f"No image is paired with another one. Same class: by chance {chance}{near}."
    share, error = shares["partner"]
    return (
        f"Images that are paired with another one: {paired}. Of these {percent(share, error)} have "
        f"a partner of their class{near}, by chance {chance}; the oracle has 100 %, "
        f"{100 * (1 - share):.1f} points more."
    )


def _by_class(purity, names):
    order = np.argsort(-purity.images, kind="stable")[:MOST_CLASSES]
    head = ("class", "images", "paired", "partners right", "neighbors right", "chance")
    rows = [
        (
            names[i],
            purity.images[i],
            percent(purity.bootstrapped[i].sum() / purity.images[i]),
            percent(purity.partner_purity[i]),
            percent(purity.neighbor_purity[i]),
            percent(purity.chance[i]),
        )
        for i in order
    ]
    return tag(
        "div",
        tag("table", _row("th", head), [_row("td", row) for row in rows], _rest(len(names))),
        class_="wide",
    )


def _row(kind, cells):
    first, *others = cells
    return tag("tr", tag(kind, first), [tag(kind, cell, class_="n") for cell in others])


def _rest(count):
    more = count - MOST_CLASSES
    return tag("tr", tag("td", f"and {more} smaller classes")) if more > 0 else None


def _heat(purity, names):
    order = np.argsort(-purity.images, kind="stable")[:MOST_CLASSES]
    counts = purity.bootstrapped[np.ix_(order, order)]
    shares = counts / np.maximum(purity.bootstrapped[order].sum(axis=1, keepdims=True), 1)
    text = (
        "Which classes bootstrap each other: of the images of a class (row) that are paired with "
        "another image, the share whose partner is of each class (column)."
    )
    head = tag("tr", tag("th", ""), [tag("th", names[i]) for i in order])
    rows = [
        tag("tr", tag("th", names[i]), [_cell(share, n) for share, n in zip(*pair, strict=True)])
        for i, *pair in zip(order, shares, counts, strict=True)
    ]
    table = tag("table", joined(head, rows), class_="heat")
    return joined(tag("p", text, class_="soft"), tag("div", table, class_="wide"))


def _cell(share, count):
    color = f"background:color-mix(in srgb, var(--c0) {75 * share:.0f}%, transparent)"
    return tag("td", f"{100 * share:.0f}" if count else "", style=color, title=f"{count} images")
