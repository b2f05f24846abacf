"""Features in the plane, with the picture of each under the pointer."""

import colorsys
import json

import numpy as np

from keras_adasim.reporting.markup import joined, picture, tag

WIDTH, HEIGHT, EDGE = 640, 460, 12
MOST_NAMED = 12
# Told apart by those who see few colors too, on light and on dark.
CLASSES = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#b8a320",
    "#44aac8",
    "#aa3377",
    "#888888",
    "#e07b39",
    "#7755cc",
    "#2f9c8a",
)


def section(feature_map):
    """The map as HTML, or None."""
    if feature_map is None:
        return None
    colors = _colors(feature_map)
    names = feature_map.class_names or []
    circles = [
        tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, fill=color)
        for (x, y), color in zip(_placed(feature_map.points), colors, strict=True)
    ]
    data = {"names": feature_map.names, "columns": feature_map.columns, "side": feature_map.side}
    if feature_map.labels is not None:
        data |= {"labels": feature_map.labels.tolist(), "classes": names}
    key = [
        tag("span", tag("i", style=f"background:{color_of(number, len(names))}"), name)
        for number, name in enumerate(names[:MOST_NAMED])
    ]
    rest = tag("span", f"and {len(names) - MOST_NAMED} more") if len(names) > MOST_NAMED else None
    sheet = picture(feature_map.sheet, "", "sheet") if feature_map.sheet else ""
    text = f"{len(feature_map.points)} images; {feature_map.how}. Point at one to see it."
    return tag(
        "section",
        tag("h2", "Map of the features"),
        tag("p", text, class_="soft"),
        tag("div", key, rest, class_="key") if key else None,
        tag(
            "div",
            tag(
                "svg",
                circles,
                viewBox=f"0 0 {WIDTH} {HEIGHT}",
                role="img",
                aria_label=text,
                data_map=json.dumps(data, separators=(",", ":")),
            ),
            joined(tag("div", sheet, hidden="") if sheet else None),
            class_="map",
        ),
        id="map",
    )


def principal_plane(features):
    """The two directions in which features differ most: (n, D) floats -> (n, 2) and their share.

    Returns:
        Tuple of the points, and the share of the variance that the plane has.
    """
    features = np.asarray(features, np.float64)
    centered = features - features.mean(axis=0)
    values, vectors = np.linalg.eigh(centered.T @ centered)
    plane = vectors[:, ::-1][:, :2]
    plane = plane * np.where(np.abs(plane).max(axis=0) == plane.max(axis=0), 1, -1)  # One sign.
    points = centered @ plane
    if points.shape[1] < 2:
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    return points, float(values[::-1][:2].sum() / max(values.sum(), 1e-30))


def color_of(number, count):
    """The color of a class."""
    if count <= len(CLASSES):
        return CLASSES[number]
    red, green, blue = colorsys.hls_to_rgb(number / count, 0.5, 0.6)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _colors(feature_map):
    if feature_map.labels is None:
        return ["var(--c0)"] * len(feature_map.points)
    count = len(feature_map.class_names)
    return [color_of(int(label), count) for label in feature_map.labels]


def _placed(points):
    low, high = points.min(axis=0), points.max(axis=0)
    shares = (points - low) / np.maximum(high - low, 1e-12)
    return EDGE + shares * (np.array([WIDTH, HEIGHT]) - 2 * EDGE)
