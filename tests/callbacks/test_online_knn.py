import keras
import numpy as np
import pytest

from keras_adasim.callbacks import OnlineKNN
from tests.callbacks.models import Watched, fit, source

RNG = np.random.default_rng(0)


def _colours(count, size=4, seed=0):
    """Images of three noisy colours, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 3)
    images = rng.integers(0, 60, (count, size, size, 3))
    images[np.arange(count), ..., labels] += 150
    return source(images.astype(np.uint8), labels)


def _fit(callback, epochs=2, **kwargs):
    model = Watched()
    model.compile("sgd", "mse")
    return fit(model, epochs, [callback], **kwargs).history


def test_separate_test_images():
    history = _fit(OnlineKNN(_colours(60), _colours(20, seed=1), k=5, batch_size=7))
    assert history["knn_top1"] == [1.0, 1.0]
    assert history["knn_top5"] == [1.0, 1.0]


def test_held_out_share_of_the_training_images():
    callback = OnlineKNN(_colours(60), k=5, held_out=0.25)
    assert _fit(callback)["knn_top1"] == [1.0, 1.0]
    assert len(callback._test) == 15
    assert sorted([*callback._test, *callback._train]) == list(range(60))
    again = OnlineKNN(_colours(60), k=5, held_out=0.25)
    np.testing.assert_array_equal(callback._test, again._test)


def test_shuffled_labels_are_not_predicted():
    images = _colours(300)
    images.labels = RNG.permutation(images.labels)
    (top1,) = _fit(OnlineKNN(images, k=20), epochs=1)["knn_top1"]
    assert 0.1 < top1 < 0.6


def test_every_and_the_last_epoch():
    logged = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logged.append("knn_top1" in logs)
    )
    model = Watched()
    model.compile("sgd", "mse")
    fit(model, 5, [OnlineKNN(_colours(30), k=3, every=2), watch])
    assert logged == [False, True, False, True, True]


def test_at_most_max_images_of_each_set():
    callback = OnlineKNN(_colours(60), _colours(50, seed=1), k=5, max_images=40)
    assert (len(callback._train), len(callback._test)) == (40, 40)
    assert _fit(callback, epochs=1)["knn_top1"] == [1.0]


def test_images_of_several_sizes_are_resized():
    images = _colours(30)
    shapes = [images[i] if i % 2 else np.repeat(images[i], 2, axis=0) for i in range(30)]
    mixed = source(shapes, images.labels)
    assert _fit(OnlineKNN(mixed, k=5, image_size=8), epochs=1)["knn_top1"] == [1.0]


def test_two_replicas(two_replicas):
    with two_replicas.scope():
        model = Watched()
        model.compile("sgd", "mse")
    history = fit(model, 1, [OnlineKNN(_colours(30), k=5)]).history
    assert history["knn_top1"] == [1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 49}, r"`k` to be at most 48.*k=49.*`max_images`"),
        ({"k": 0}, r"`k` to be a positive integer. Received: 0"),
        ({"every": 0}, r"`every` to be a positive integer. Received: 0"),
        ({"max_images": 0}, r"`max_images` to be a positive integer. Received: 0"),
        ({"held_out": 1.0}, r"`held_out` between 0 and 1. Received: 1.0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        OnlineKNN(_colours(60), **arguments)


def test_sources_without_labels():
    unlabelled = source(np.zeros((30, 4, 4, 3), np.uint8), None)
    with pytest.raises(ValueError, match=r"`train_source` with labels.*one folder per class"):
        OnlineKNN(unlabelled)
    with pytest.raises(ValueError, match=r"`test_source` with labels.*leave OnlineKNN out"):
        OnlineKNN(_colours(60), unlabelled)
