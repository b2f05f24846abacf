import csv

import keras
import numpy as np
import pytest

from keras_adasim.callbacks import EpochLog, OnlineKNN
from keras_adasim.data import ArraySource
from keras_adasim.evaluation import leave_one_out_accuracy
from tests.callbacks.models import Watched, fit, source

RNG = np.random.default_rng(0)


def _colors(count, size=4, seed=0):
    """Images of three noisy colors, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 3)
    images = rng.integers(0, 60, (count, size, size, 3))
    images[np.arange(count), ..., labels] += 150
    return source(images.astype(np.uint8), labels)


def _fit(callback, epochs=2, **kwargs):
    model = Watched()
    model.compile("sgd", "mse", run_eagerly=True)
    return fit(model, epochs, [callback], **kwargs).history


def test_separate_test_images():
    history = _fit(OnlineKNN(_colors(60), _colors(20, seed=1), k=5, batch_size=7))
    assert history["knn_top1"] == [1.0, 1.0]
    assert history["knn_top5"] == [1.0, 1.0]


def test_held_out_share_of_the_training_images():
    callback = OnlineKNN(_colors(60), k=5, held_out=0.25)
    assert _fit(callback)["knn_top1"] == [1.0, 1.0]
    assert len(callback._test) == 15
    assert sorted([*callback._test, *callback._train]) == list(range(60))
    again = OnlineKNN(_colors(60), k=5, held_out=0.25)
    np.testing.assert_array_equal(callback._test, again._test)


def test_leave_one_out():
    images = _colors(40)
    images.labels[7] = 9  # No other image has this label.
    callback = OnlineKNN(images, k=39 - 1, max_images=39, leave_one_out=True)
    assert (callback.num_train, callback.num_test) == (39, 39)
    drawn = callback._train
    features = [images[i].reshape(-1) / 255 for i in drawn]
    top1, top5 = callback.evaluate(lambda batch: np.reshape(batch, (len(batch), -1)) / 255)
    expected = leave_one_out_accuracy(features, images.labels[drawn], 38)
    assert (top1, top5) == pytest.approx(expected)
    assert _fit(OnlineKNN(_colors(40), k=5, leave_one_out=True))["knn_top1"] == [1.0, 1.0]


def test_one_source_for_both_sets_leaves_each_image_out():
    """Each image used to be its own nearest neighbor."""
    images = _colors(40)
    images.labels[:] = np.random.default_rng(0).integers(0, 4, 40)
    callback = OnlineKNN(images, images, k=1)
    assert callback.leave_one_out
    assert callback.evaluate(lambda batch: np.reshape(batch, (len(batch), -1)))[0] < 0.6


def test_each_image_is_embedded_once():
    sizes = []

    def look(batch):
        sizes.append(len(batch))
        return np.reshape(batch, (len(batch), -1))

    OnlineKNN(_colors(30), k=5, leave_one_out=True).evaluate(look)
    OnlineKNN(_colors(30), k=5).evaluate(look)
    assert sum(sizes) == 60


def test_number_of_images():
    callback = OnlineKNN(_colors(60), k=5, held_out=0.25)
    assert (callback.num_train, callback.num_test) == (45, 15)
    callback = OnlineKNN(_colors(60), _colors(20, seed=1), k=5, max_images=40)
    assert (callback.num_train, callback.num_test) == (40, 20)


def test_shuffled_labels_are_not_predicted():
    images = _colors(300)
    images.labels = RNG.permutation(images.labels)
    (top1,) = _fit(OnlineKNN(images, k=20), epochs=1)["knn_top1"]
    assert 0.1 < top1 < 0.6


def test_every_and_the_last_epoch():
    logged = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logged.append("knn_top1" in logs)
    )
    model = Watched()
    model.compile("sgd", "mse", run_eagerly=True)
    fit(model, 5, [OnlineKNN(_colors(30), k=3, every=2), watch])
    assert logged == [False, True, False, True, True]


def test_at_most_max_images_of_each_set():
    callback = OnlineKNN(_colors(60), _colors(50, seed=1), k=5, max_images=40)
    assert (len(callback._train), len(callback._test)) == (40, 40)
    assert _fit(callback, epochs=1)["knn_top1"] == [1.0]


def test_images_of_several_sizes_are_resized():
    images = _colors(30)
    shapes = [images[i] if i % 2 else np.repeat(images[i], 2, axis=0) for i in range(30)]
    mixed = source(shapes, images.labels)
    assert _fit(OnlineKNN(mixed, k=5, image_size=8), epochs=1)["knn_top1"] == [1.0]


def test_two_replicas(two_replicas, tmp_path):
    """And what it logs is written there, too."""
    with two_replicas.scope():
        model = Watched()
        model.compile("sgd", "mse")
    log = tmp_path / "log.csv"
    history = fit(model, 2, [OnlineKNN(_colors(30), k=5), EpochLog(log)]).history
    assert history["knn_top1"] == [1.0, 1.0]
    with log.open(newline="") as file:
        assert [float(row["knn_top1"]) for row in csv.DictReader(file)] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 49}, r"`k` to be at most 48.*k=49.*`max_images`"),
        ({"k": 60, "leave_one_out": True}, r"`k` to be at most 59.*k=60"),
        ({"k": 0}, r"`k` to be a positive integer. Received: k=0"),
        ({"k": True}, r"`k` to be a positive integer. Received: k=True"),
        ({"every": 0}, r"`every` to be a positive integer. Received: every=0"),
        ({"every": None}, r"`every` to be a positive integer. Received: every=None"),
        ({"max_images": 0}, r"`max_images` to be a positive integer. Received: max_images=0"),
        ({"image_size": 8.0}, r"`image_size` to be a positive integer. Received: image_size=8.0"),
        ({"batch_size": "8"}, r"`batch_size` to be a positive integer. Received: batch_size='8'"),
        ({"seed": 0.5}, r"`seed` to be a non-negative integer. Received: seed=0.5"),
        ({"held_out": 1.0}, r"`held_out` to be in .0, 1.. Received: held_out=1.0"),
        ({"temperature": 0}, r"`temperature` to be a positive number. Received: temperature=0"),
        (
            {"test_source": _colors(60), "leave_one_out": True},
            r"no `test_source` with `leave_one_out`",
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        OnlineKNN(_colors(60), **arguments)


def test_sources_without_labels():
    unlabeled = source(np.zeros((30, 4, 4, 3), np.uint8), None)
    with pytest.raises(ValueError, match=r"`train_source` with labels.*one folder per class"):
        OnlineKNN(unlabeled)
    with pytest.raises(ValueError, match=r"`test_source` with labels.*leave OnlineKNN out"):
        OnlineKNN(_colors(60), unlabeled)


def test_one_image_more_changes_the_draws_by_one():
    """Images were drawn by their places: with another one in front of them all draws changed."""
    images = np.arange(41 * 12, dtype=np.uint8).reshape(41, 2, 2, 3)
    labels = np.arange(41) % 3
    drawn = []
    for those in (slice(None), slice(1, None)):
        knn = OnlineKNN(ArraySource(images[those], labels[those]), k=3, max_images=20, seed=4)
        shift = those.start or 0
        drawn.append([set(knn._train + shift), set(knn._test + shift)])
    for more, fewer in zip(*drawn, strict=True):
        assert len(more) == len(fewer)
        assert len(more - fewer) <= 1
