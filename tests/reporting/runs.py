"""Runs as plain data, for the page."""

import numpy as np

from keras_adasim.evaluation.bootstrapping import class_purity
from keras_adasim.evaluation.gallery import by_window
from keras_adasim.pairing import AdaptiveWindow
from keras_adasim.reporting import Attention, FeatureMap, Gallery, Run
from keras_adasim.reporting.thumbnails import jpeg, sheet

SETTINGS = {"objective": "dino", "pairing": "adasim", "backbone": "vit_mini", "epochs": 10}
SETTINGS |= {"window": 2, "learning_rate": 0.002, "mean": [0.5, 0.25]}


def make_run(knn=(0.2, 0.5, 0.3), epochs=10, finished=True, name="run", **changes):
    """A run of ten epochs; `knn` is untrained, trained and of raw pixels, None without labels."""
    settings = {**SETTINGS, **changes.pop("settings", {})}
    untrained, trained, raw = knn or (None, None, None)
    rng = np.random.default_rng(0)
    log = []
    for epoch in range(epochs):
        row = {"epoch": epoch, "loss": 5 - 0.1 * epoch + rng.normal(), "rank_me": 10.0 + epoch}
        row |= {"feature_std": 0.9, "gate_open": 0.05 * epoch, "partner_is_self": 1 - 0.02 * epoch}
        if knn:
            row["knn_top1"] = untrained + (trained - untrained) * (epoch + 1) / epochs
        log.append(row)
    start = {"knn_before": untrained, "knn_raw_pixels": raw, "before": {"rank_me": 8.0}}
    result = {"knn_after": trained, "knn_images": 400, "collapse": {}, "rank_me": 10.0 + epochs - 1}
    result["epochs"] = epochs
    values = {
        "name": name,
        "path": f"/runs/{name}",
        "settings": settings,
        "finished_epochs": epochs,
        "log": log,
        "start": start,
        "result": result if finished else None,
        "plan": {"knn_images": 400 if knn else None},
        "images": 500,
    }
    return Run(**{**values, **changes})


def with_pictures(run, names, classes=("ant", "bee"), points=40):
    """The run with every section that has pictures; images are called by `names`."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (points, 64, 64, 3), np.uint8)
    pairing = AdaptiveWindow(len(names), window=2, topk=3, temperature=0.1)
    for _ in range(2):
        ids = (np.arange(len(names))[:, None] + np.arange(3)) % len(names)
        pairing.push(ids, np.array([[0.9, 0.8, 0.7]] * len(names)))
    labels = np.arange(len(names)) % 2
    shown = range(len(names))
    run.gallery = Gallery(
        by_window(pairing, np.arange(2)),
        ["Drawn at random."] * 2,
        names=dict(zip(shown, names, strict=True)),
        pictures={i: jpeg(pixels[i]) for i in shown},
        classes={i: classes[i % 2] for i in shown},
        epochs=10,
    )
    run.purity, run.class_names = class_purity(labels, pairing.partners(shown)), list(classes)
    run.feature_map = FeatureMap(
        rng.normal(size=(points, 2)),
        "a plane",
        names=[names[i % len(names)] for i in range(points)],
        labels=np.arange(points) % 2,
        class_names=list(classes),
        sheet=sheet(pixels, 8, 28),
        columns=8,
        side=28,
    )
    run.attention = Attention([jpeg(pixels[0])], [names[0]], rng.random((1, 3, 4, 4)))
    return run
