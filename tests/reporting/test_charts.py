"""Curves: their values, their ticks, and what isn't there."""

import html
import json
import re

import numpy as np

from keras_adasim.reporting.charts import line_chart, percent, shown, ticks
from keras_adasim.reporting.feature_map import principal_plane


def data_of(chart):
    return json.loads(html.unescape(re.search(r'data-chart="([^"]*)"', chart)[1]))


def test_the_pointer_reads_what_was_measured():
    values = np.array([0.25, np.nan, 0.75])
    chart = line_chart("Title", "Note.", [1, 2, 3], {"a": values}, [("level", 0.5)], " %")
    data = data_of(chart)
    assert (data["x"], data["series"][0]["y"]) == ([1, 2, 3], [0.25, None, 0.75])
    assert data["px"][0] < data["px"][1] < data["px"][2]
    assert "level 0.5 %" in chart
    assert 'aria-label="Title: a from 0.25 % to 0.75 %"' in chart
    path = re.search(r'd="M([\d. L]+)" class="curve"', chart)[1]
    (left, low), (right, high) = (map(float, point.split()) for point in path.split("L"))
    assert left < right
    assert low > high  # Down is up.


def test_a_single_epoch_and_values_that_are_all_the_same_are_drawn():
    assert "<circle" in line_chart("T", "", [1], {"a": [0.0]})
    assert 'class="curve"' in line_chart("T", "", [1, 2], {"a": [3.0, 3.0]})


def test_long_runs_are_thinned_to_their_ends():
    epochs = np.arange(1, 5001)
    data = data_of(line_chart("T", "", epochs, {"a": epochs / 1.0}))
    assert (data["x"][0], data["x"][-1], len(data["x"])) == (1, 5000, 300)


def test_ticks_are_round_and_within():
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(12.4, 13.1) == [12.4, 12.6, 12.8, 13.0]
    assert ticks(-300, 900) == [-250, 0, 250, 500, 750]


def test_numbers_for_people():
    assert [shown(v) for v in (0.123456, 12345.6, None, float("nan"))] == [
        "0.1235",
        "12,346",
        "-",
        "-",
    ]
    texts = [percent(0.5), percent(0.5, 0.01), percent(0.0003), percent(None)]
    assert [text.replace("\xa0", " ") for text in texts] == [
        "50.0 %",
        "50.0 ± 1.0 %",
        "0.03 %",
        "-",
    ]


def test_the_plane_is_that_of_the_largest_variance():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    features = rng.normal(size=(50, 6)) * [9, 5, 1, 0.1, 0.1, 0.1] @ axes
    points, share = principal_plane(features)
    centered = features - features.mean(axis=0)
    values = np.linalg.svd(centered, compute_uv=False) ** 2
    np.testing.assert_allclose((points**2).sum(axis=0), values[:2])
    np.testing.assert_allclose(share, values[:2].sum() / values.sum())
    again, _ = principal_plane(features.copy())
    np.testing.assert_array_equal(points, again)
