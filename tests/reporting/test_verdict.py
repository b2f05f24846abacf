"""What the page says first, in every case."""

import dataclasses

import numpy as np
import pytest

from keras_adasim.evaluation.bootstrapping import class_purity
from keras_adasim.reporting.verdict import next_steps, verdict
from tests.reporting.runs import make_run


def said(run):
    """The whole verdict as one text, and the kind of each sentence by its headline."""
    found = verdict(run)
    text = " ".join(f"{head} {words}" for _, head, words in found).replace("\xa0", " ")
    return text, {head: kind for kind, head, _ in found}


def test_learned():
    text, kinds = said(make_run())
    assert kinds["It has learned."] == "good"
    assert "50.0 ± 2.5 % with the trained network" in text
    assert "20.0 ± 2.0 % with the untrained one" in text
    # 0.3 / hypot(0.025, 0.02)
    assert "gained 30.0 points, +9.4 standard errors" in text
    assert kinds["No collapse:"] == "good"
    assert "The gate has opened for 45.0 % of the images; 18.0 % are paired" in text


@pytest.mark.parametrize(
    ("knn", "headline", "kind"),
    [
        ((0.5, 0.2, 0.3), "It has not learned: worse than untrained.", "bad"),
        ((0.5, 0.52, 0.3), "It can't be told from untrained.", "bad"),
        ((0.2, 0.5, 0.6), "Not better than raw pixels.", "bad"),
    ],
)
def test_not_learned(knn, headline, kind):
    _, kinds = said(make_run(knn))
    assert kinds[headline] == kind


@pytest.mark.parametrize(
    ("before", "headline"),
    [
        (8.0, "It has probably learned."),
        (50.0, "It has probably not learned."),
        (19.0, "Whether it has learned can't be told."),
        (None, "Whether it has learned can't be told."),
    ],
)
def test_without_labels(before, headline):
    text, kinds = said(make_run(None, start={"before": {"rank_me": before}}))
    assert headline in kinds
    assert "There are no labels" in text


def test_collapse():
    run = make_run()
    run.result["collapse"] = {"constant features": 4}
    text, kinds = said(run)
    assert kinds["It has collapsed."] == "bad"
    assert "Constant features since epoch 4." in text
    assert "--learning_rate" in next_steps(run)[0]
    going_on = make_run(finished=False, settings={"epochs": 20})
    going_on.log[-1]["collapse_signs"] = 2
    assert said(going_on)[1]["There are signs of a collapse."] == "bad"


def test_gates():
    text, _ = said(make_run(settings={"pairing": "self"}))
    assert "There is no gate: every image is paired with itself." in text
    text, kinds = said(make_run(settings={"window": 10}))
    assert kinds["The gate is closed, and stays so:"] == "bad"
    assert "a smaller --window" in text
    run = make_run()
    for row in run.log:
        row["gate_open"] = 0.0
    assert said(run)[1]["The gate is closed for every image:"] == "bad"
    young = make_run(epochs=1, finished=False)
    assert said(young)[1]["The gate is closed:"] == "plain"
    labels = np.arange(200) % 2
    pure = dataclasses.replace(make_run(), purity=class_purity(labels, (np.arange(200) + 2) % 200))
    assert "100.0 ± 0.0 % of those are of its class" in said(pure)[0]


def test_a_run_that_is_not_finished_or_not_begun():
    text, kinds = said(make_run(epochs=5, finished=False))
    assert text.startswith("Not finished. 5 of 10 epochs are done")
    assert "It has learned so far." in kinds
    assert said(make_run(epochs=0, finished=False))[1] == {"Not begun.": "plain"}


def test_a_result_of_fewer_epochs_is_none():
    """A run that went on and was stopped by a collapse in its last epoch."""
    run = make_run()
    run.result["epochs"] = 4
    assert said(run)[0].startswith("Not finished. 10 of 10 epochs are done; there is no result")


def test_what_to_try_next():
    falls = make_run()
    for row, accuracy in zip(falls.log, np.linspace(0.8, 0.5, 10), strict=True):
        row["knn_top1"] = accuracy
    assert "best in epoch 1" in next_steps(falls)[0]
    assert "still rising" in next_steps(make_run())[0]
    flat = make_run()
    for row in flat.log:
        row["knn_top1"] = 0.5
    assert next_steps(flat)[0].startswith("use it")
    assert "hub:PRESET" in next_steps(make_run((0.5, 0.3, 0.3)))[0]
    assert "one folder per class" in next_steps(make_run(None))[0]
