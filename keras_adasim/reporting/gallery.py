"""Images with their neighbors: the paper's first figure."""

import numpy as np

from keras_adasim.reporting.charts import bar, percent
from keras_adasim.reporting.document import document
from keras_adasim.reporting.markup import Markup, joined, picture, short, tag


def section(gallery):
    """The gallery as HTML, or None without one."""
    if gallery is None or not len(gallery.neighbors.queries):
        return None
    return tag(
        "section",
        tag("h2", "Neighbors"),
        tag("p", how_to_read(gallery), class_="soft"),
        [query(gallery, place) for place in range(len(gallery.neighbors.queries))],
        id="gallery",
    )


def gallery_page(gallery, title):
    """A page with the gallery alone.

    Args:
        gallery: `Gallery`.
        title: What it is of.

    Returns:
        String.
    """
    return document(title, [tag("h1", title), section(gallery)])


def how_to_read(gallery):
    """What the pictures and bars mean."""
    neighbors = gallery.neighbors
    if neighbors.probabilities is None:
        return (
            "Each row is an image and its nearest neighbors by the cosine of their features, which "
            "is what the bars show: there is no window, so there is no p_win and no gate."
        )
    epochs = neighbors.history.shape[2]
    first = gallery.epochs - epochs + 1
    return (
        "Each row is an image and the neighbors that the window agrees on, the strongest first. "
        "The blue bar is p_win, by which its partner is drawn; the strip below tells in which of "
        f"the epochs {first} to {gallery.epochs} that neighbor was among the first "
        f"{neighbors.ids.shape[1]}; mean is its cosine as a mean over all of these epochs."
    )


def query(gallery, place):
    """An image and its neighbors."""
    neighbors = gallery.neighbors
    own = int(neighbors.queries[place])
    name = gallery.names.get(own, f"image {own}")
    lead = tag(
        "div",
        shown_image(gallery, own),
        tag("div", short(name), title=name),
        tag("div", gallery.classes.get(own)) if own in gallery.classes else None,
        class_="near lead",
    )
    others = [
        _neighbor(gallery, place, rank)
        for rank, each in enumerate(neighbors.ids[place])
        if each >= 0
    ]
    words = joined(tag("b", gallery.why[place]), " ", gate_in_words(neighbors, place))
    return tag("div", tag("p", words), tag("div", lead, others, class_="strip"), class_="query")


def gate_in_words(neighbors, place):
    """What the gate of an image does, and why."""
    if neighbors.is_open is None:
        return ""
    own, window = neighbors.queries[place], neighbors.history.shape[2]
    if neighbors.is_open[place]:
        others = 1 - neighbors.probabilities[place][neighbors.ids[place] == own].sum()
        return (
            "The gate is open: over the window the image is its own strongest neighbor. Its "
            f"partner is another image with {percent(others)}."
        )
    if not neighbors.is_full[place]:
        return (
            f"The gate is closed: of this image there are {window} epochs on record or fewer, not "
            "yet a whole window."
        )
    similarities = np.where(neighbors.ids[place] == own, -np.inf, neighbors.similarities[place])
    rank = 1 + np.count_nonzero(
        similarities > neighbors.similarities[place][neighbors.ids[place] == own].max(initial=0.0)
    )
    where = "not among its strongest" if not _is_found(neighbors, place) else f"only number {rank}"
    return (
        f"The gate is closed: over the window the image itself is {where} neighbor"
        f"{'s' if where[0] == 'n' else ''}, so it is paired with itself."
    )


def shown_image(gallery, index):
    """A picture, or an empty place."""
    uri = gallery.pictures.get(int(index))
    name = gallery.names.get(int(index), "")
    return picture(uri, name) if uri else tag("div", class_="none", title=name)


def history_strip(history):
    """When a neighbor was there, epoch by epoch."""
    runs = np.flatnonzero(np.diff(np.concatenate([[0], history.astype(int), [0]])))
    path = "".join(f"M{a} 0h{b - a}v1h{a - b}z" for a, b in zip(runs[::2], runs[1::2], strict=True))
    count = int(history.sum())
    return tag(
        "svg",
        tag("path", d=path) if path else None,
        viewBox=f"0 0 {len(history)} 1",
        preserveAspectRatio="none",
        class_="past",
        role="img",
        aria_label=f"there in {count} of {len(history)} epochs",
    )


def _neighbor(gallery, place, rank):
    neighbors = gallery.neighbors
    index = int(neighbors.ids[place, rank])
    is_own = index == neighbors.queries[place]
    similarity = float(neighbors.similarities[place, rank])
    lines, word = [], "cos"
    if neighbors.probabilities is not None:
        word = "mean"
        share = float(neighbors.probabilities[place, rank])
        lines += [bar(share), tag("div", f"p {percent(share)}")]
    else:
        lines += [bar(min(max(similarity, 0.0), 1.0))]
    lines.append(tag("div", f"{word} {similarity:.3f}"))
    if neighbors.history is not None:
        lines.append(history_strip(neighbors.history[place, rank]))
    label = gallery.classes.get(index)
    if label is not None:
        right = label == gallery.classes.get(int(neighbors.queries[place]))
        lines.append(tag("div", label, class_="right" if right else "wrong"))
    name = "itself" if is_own else None
    return tag(
        "div",
        shown_image(gallery, index),
        lines,
        tag("div", name) if name else Markup(""),
        class_="near own" if is_own else "near",
    )


def _is_found(neighbors, place):
    own = neighbors.ids[place] == neighbors.queries[place]
    return bool(neighbors.similarities[place][own].max(initial=0.0) > 0)
