"""Collapses are told: those that are scripted, and those that happen."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_adasim as ka
from keras_adasim import data, objectives, optimizers, pairing
from keras_adasim.callbacks import CollapseAlarm, CollapseError, EpochLog
from keras_adasim.objectives.two_views import per_view, two_view_features
from tests.models import tiny
from tests.models.test_exchange import small_cnn

LN_24 = np.log(24)
HEALTHY = {"loss": 2.5, "teacher_entropy": 2.0, "teacher_mean_entropy": 2.8, "feature_std": 0.7}
HEALTHY |= {"rank_me": 20.0, "knn_top1": 0.5}
UNIFORM = {**HEALTHY, "loss": LN_24 + 0.01, "teacher_entropy": LN_24 - 0.01}
ONE_HOT = {**HEALTHY, "loss": 0.3, "teacher_entropy": 0.01, "teacher_mean_entropy": 0.02}
START = {"rank_me": 16.0, "knn_top1": 0.5}


def alarm(objective=None, **kwargs):
    """An alarm that watches an objective, at the first step of a run."""
    made = CollapseAlarm(**{"grace": 0, "start": START, "knn_images": 100, **kwargs})
    made.set_model(
        types.SimpleNamespace(
            objective=objective or objectives.DINO(24),
            optimizer=types.SimpleNamespace(iterations=tf.Variable(0, dtype=tf.int64)),
            distribute_strategy=None,
        )
    )
    return made


def play(made, *epochs, first=0):
    """Goes through epochs of such logs, four steps each; returns what became of the logs."""
    made.on_train_begin()
    played = []
    for epoch, logs in enumerate(epochs, start=first):
        made.model.optimizer.iterations.assign(4 * epoch)
        made.on_epoch_begin(epoch)
        made.model.optimizer.iterations.assign(4 * epoch + 4)
        played.append(dict(logs))
        made.on_epoch_end(epoch, played[-1])
    made.on_train_end()
    return played


@pytest.mark.parametrize(
    ("logs", "name", "word"),
    [
        (UNIFORM, "uniform output", "a lower `teacher_temperature`"),
        (ONE_HOT, "one-hot output", "a lower `center_momentum`"),
        ({**ONE_HOT, "loss": 0.01, "teacher_mean_entropy": 0.7}, "one-hot output", "prototypes"),
        ({**HEALTHY, "feature_std": 0.02}, "constant features", "`learning_rate`"),
        ({**HEALTHY, "rank_me": 1.2}, "one-dimensional features", "`learning_rate`"),
        ({**HEALTHY, "rank_me": 3.9}, "lost rank", "16.0"),
        ({**HEALTHY, "knn_top1": 0.34}, "lost neighbors", "0.500"),
    ],
)
def test_a_symptom_that_stays_is_told_once(capsys, logs, name, word):
    made = alarm()
    played = play(made, HEALTHY, HEALTHY, logs, logs, logs, logs, logs)
    told = [line for line in capsys.readouterr().out.splitlines() if f": {name} since" in line]
    assert len(told) == 1
    assert f"warning: {name} since epoch 3 (" in told[0]
    assert word in told[0]
    assert "Epoch 2 was the last without a sign" in told[0]
    assert made.found[name] == 3
    assert "collapse_signs" not in played[1]
    assert played[2]["collapse_signs"] >= 1


@pytest.mark.parametrize(
    "epochs",
    [
        [UNIFORM, UNIFORM, HEALTHY] * 3,
        [{**HEALTHY, "rank_me": 8.0, "knn_top1": 0.4}] * 5,
        # A teacher that is sure, of another prototype for every image.
        [{**HEALTHY, "teacher_entropy": 0.01}] * 5,
        # A student that knows nothing yet of a teacher that does.
        [{**HEALTHY, "loss": LN_24}] * 5,
        [{**HEALTHY, "rank_me": float("nan")}] * 5,
    ],
)
def test_what_passes_or_is_no_collapse_is_not_told(capsys, epochs):
    made = alarm()
    play(made, *epochs)
    assert not made.found
    assert not capsys.readouterr().out


def test_measurements_are_counted_not_epochs(capsys):
    """Rank and k-NN are measured now and then."""
    low, none = {"rank_me": 1.2}, {"feature_std": 0.7}
    made = alarm(start={})
    play(made, {"rank_me": 9.0}, none, low, none, low, none)
    assert not made.found
    play(made, {"rank_me": 9.0}, none, low, none, low, none, low)
    assert made.found == {"one-dimensional features": 3}
    # The second epoch wasn't measured.
    assert "Epoch 1 was the last without a sign" in capsys.readouterr().out


def test_first_epochs_are_not_judged():
    """Untrained outputs are uniform, and what isn't trained yet stays so."""
    for made in (
        alarm(grace=4),
        alarm(objectives.DINO(24, freeze_last_layer_steps=16)),
    ):
        play(made, *[UNIFORM] * 6)
        assert not made.found
        play(made, *[UNIFORM] * 7)
        assert made.found == {"uniform output": 5}


def test_regions_are_judged_once_they_are_trained():
    names = ("region_loss", "region_entropy", "region_mean_entropy")
    regions = {**HEALTHY, "view_loss": 2.5, **dict.fromkeys(names, LN_24)}
    made = alarm(objectives.EsViT(24, region_start_step=8))
    play(made, *[regions] * 5)
    assert made.found == {"uniform output of regions": 3}
    views = {**HEALTHY, **dict.fromkeys(names, 2.0), "view_loss": 0.0, "teacher_entropy": 0.0}
    play(made, *[views] * 3)
    assert made.found == {"one-hot output": 1}


@pytest.mark.parametrize(
    "objective",
    [objectives.BYOL, objectives.SimSiam, objectives.MoCoV3, objectives.SimCLR, objectives.NNCLR],
)
def test_methods_of_two_views_watch_their_projections(objective):
    made = alarm(objective(8))
    assert "projection_std" in objective.metric_names
    play(made, *[{"projection_std": 0.6}] * 3)
    assert not made.found
    play(made, *[{"projection_std": 0.1}] * 3)
    assert made.found == {"constant projections": 1}


def test_stopping_names_the_checkpoint_that_is_still_good(tmp_path):
    for name in ("epoch-1", "epoch-2", "epoch-4", ".epoch-3", "epoch-x"):
        (tmp_path / name).mkdir()
    made = alarm(on_collapse="stop", checkpoints=tmp_path)
    pattern = "one-hot output since epoch 4 .*Epoch 3 was the last.*epoch-2 is still good"
    with pytest.raises(CollapseError, match=pattern):
        play(made, *[HEALTHY] * 3, *[ONE_HOT] * 3)
    (tmp_path / "epoch-1").rmdir()
    (tmp_path / "epoch-2").rmdir()
    with pytest.raises(CollapseError, match="no checkpoint of that time is left"):
        play(made, *[HEALTHY] * 3, *[ONE_HOT] * 3)
    with pytest.raises(CollapseError, match="No epoch was without a sign"):
        play(made, *[ONE_HOT] * 3)


def test_it_stops_before_the_next_epoch_once_this_one_is_logged():
    made = alarm(on_collapse="stop")
    made.on_train_begin()
    for epoch in range(3):
        made.on_epoch_begin(epoch)
        made.model.optimizer.iterations.assign_add(4)
        made.on_epoch_end(epoch, dict(ONE_HOT))
    with pytest.raises(CollapseError, match=r"output since epoch 1 \(teacher_mean_entropy 0.02\)"):
        made.on_epoch_begin(3)


def test_a_resumed_run_knows_its_earlier_epochs(tmp_path, capsys):
    """Killed every other epoch, it would never be told."""
    epochs = [HEALTHY, {}, ONE_HOT, ONE_HOT]
    for first, logs in enumerate(epochs):
        log = EpochLog(tmp_path / "log.csv")
        log.set_model(keras.Model())
        log.on_train_begin()
        log.on_epoch_begin(first)
        log.on_epoch_end(first, logs)
    made = alarm(log=tmp_path / "log.csv")
    play(made, ONE_HOT, first=4)
    assert made.found == {"one-hot output": 3}
    assert "since epoch 3" in capsys.readouterr().out
    play(made, ONE_HOT, first=3)  # The fourth epoch again.
    assert not made.found


class WithoutPredictor(objectives.BYOL):
    """Student and teacher agree best if all images are the same to them."""

    def student_embeddings(self, views):
        return {"predictions": per_view(self.projector, two_view_features(views))}


def fit(objective, made, epochs, rate=0.02):
    """Two steps an epoch, with a teacher that follows quickly."""
    optimizer = optimizers.AdamW(rate, 0.0)
    pairs = pairing.SelfPairing()
    model = tiny.model(small_cnn(None), objective, pairs, optimizer, bank=None)
    model.momentum = 0.5
    source = data.ArraySource(tiny.images()[:16])
    model.fit(data.PairDataset(source, pairs, 8), epochs=epochs, callbacks=[made], verbose=0)


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        (lambda: tiny.dino(center_momentum=1.0), "one-hot output"),
        pytest.param(
            lambda: tiny.dino(teacher_temperature=10.0, student_temperature=1.0),
            "uniform output",
            marks=pytest.mark.large,
        ),
        (lambda: WithoutPredictor(4, 32, num_layers=1), "constant projections"),
    ],
    ids=["without centering", "without sharpening", "without predictor"],
)
def test_a_run_that_collapses_is_stopped(objective, name):
    with pytest.raises(CollapseError, match=f"{name} since epoch"):
        fit(objective(), CollapseAlarm(on_collapse="stop", patience=2), epochs=6)


def test_a_run_that_does_not_collapse_is_let_alone():
    made = CollapseAlarm(on_collapse="stop", patience=1)
    fit(objectives.BYOL(8, 16), made, epochs=3, rate=2e-3)
    assert not made.found


def test_arguments_are_checked():
    for name, value in (("on_collapse", "ignore"), ("patience", 0), ("grace", -1)):
        with pytest.raises(ValueError, match=f"`{name}`"):
            CollapseAlarm(**{name: value})
    assert issubclass(ka.CollapseError, RuntimeError)
