"""Where the heads of a Vision Transformer look."""

import numpy as np

from keras_adasim.reporting.markup import picture, short, tag
from keras_adasim.reporting.thumbnails import heat


def section(attention):
    """Attention maps as HTML, or None."""
    if attention is None:
        return None
    text = (
        "How much the class token of the last block looks at each patch, by each of its "
        f"{attention.maps.shape[1]} heads; bright is much. In good features some heads follow the "
        "object."
    )
    rows = [
        tag(
            "div",
            _image(uri, name),
            [_head(n, each) for n, each in enumerate(maps)],
            class_="heads",
        )
        for uri, name, maps in zip(attention.pictures, attention.names, attention.maps, strict=True)
    ]
    return tag(
        "section",
        tag("h2", "Attention"),
        tag("p", text, class_="soft"),
        tag("div", rows, class_="attended"),
        id="attention",
    )


def _image(uri, name):
    return tag("figure", picture(uri, name), tag("figcaption", short(name), title=name))


def _head(number, weights):
    low, high = float(np.min(weights)), float(np.max(weights))
    shares = (weights - low) / max(high - low, 1e-12)
    name = f"head {number + 1}"
    return tag("figure", picture(heat(shares), name, "pixels"), tag("figcaption", name))
