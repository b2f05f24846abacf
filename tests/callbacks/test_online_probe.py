import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.callbacks import OnlineKNN, OnlineProbe
from tests.callbacks.models import Watched, fit, source


def colors(count, seed=0, classes=3):
    """Images of noisy colors, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes)
    images = rng.integers(0, 60, (count, 4, 4, 3))
    images[np.arange(count), ..., labels] += 150
    return source(images.astype(np.uint8), labels)


def history(callbacks, epochs=2):
    model = Watched()
    model.compile("sgd", "mse", run_eagerly=True)
    return fit(model, epochs, callbacks).history


def flat(images):
    return np.reshape(images, (len(images), -1)) / 255


def test_it_need_not_stand_behind_its_knn():
    knn = OnlineKNN(colors(60), colors(20, seed=1), k=5)
    probe = OnlineProbe(knn)
    assert history([probe])["probe_top1"] == [1.0, 1.0]
    assert (probe.num_train, probe.num_test) == (54, 20)


def test_without_images_of_its_own_a_share_is_held_out():
    images = colors(60)
    probe = OnlineProbe(OnlineKNN(images, k=5, leave_one_out=True), held_out=0.25)
    assert history([probe])["probe_top1"] == [1.0, 1.0]
    parts = probe._parts
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 39,
        "validation": 6,
        "test": 15,
    }
    assert sorted(np.concatenate(list(parts.values()))) == list(range(60))
    images.labels[:] = np.random.default_rng(1).permutation(images.labels)
    assert probe.evaluate(flat) < 0.8


def test_features_of_the_same_step_are_computed_once():
    seen = []

    class Counted(Watched):
        def embed(self, images):
            seen.append(len(images))
            return super().embed(images)

    def look(callbacks):
        seen.clear()
        model = Counted()
        model.compile("sgd", "mse", run_eagerly=True)
        logs = fit(model, 2, callbacks).history
        assert logs["probe_top1"] == [1.0, 1.0]
        return sum(seen)

    knn = OnlineKNN(colors(30), colors(12, seed=1), k=3)
    assert look([knn, OnlineProbe(knn, epochs=5)]) == 2 * 42
    assert look([OnlineProbe(knn, epochs=5)]) == 2 * 42
    # Kept features are of one step alone.
    knn.model.optimizer.iterations.assign_add(1)
    knn.evaluate()
    knn.model.optimizer.iterations.assign_add(1)
    seen.clear()
    knn.features()
    assert sum(seen) == 42


def test_every_evaluation_begins_anew():
    """So a run that goes on says the same: nothing is kept from epoch to epoch."""
    probe = OnlineProbe(OnlineKNN(colors(60), k=5), epochs=3, learning_rates=(1e-3,))
    weights = np.random.default_rng(2).normal(size=(2, 48, 6))
    looks = [lambda images, w=w: flat(images) @ w for w in weights]
    first = [probe.evaluate(look) for look in looks]
    kernels = probe._probe.kernels["features"].numpy()
    again = OnlineProbe(probe.knn, epochs=3, learning_rates=(1e-3,))
    assert [again.evaluate(look) for look in looks[::-1]] == first[::-1]
    probe.evaluate(looks[1])
    np.testing.assert_array_equal(probe._probe.kernels["features"], kernels)


def test_no_generator_of_others_is_drawn_from(forgetful_kernels):
    probe = OnlineProbe(OnlineKNN(colors(30), k=5), epochs=2)
    drawn = []
    for look in (None, flat):
        tf.random.set_seed(1)
        np.random.seed(1)  # noqa: NPY002
        if look is not None:
            probe.evaluate(look)
        drawn.append((float(tf.random.uniform(())), np.random.random()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


def test_only_in_the_epochs_of_the_knn():
    knn = OnlineKNN(colors(30), k=3, every=2)
    assert len(history([knn, OnlineProbe(knn, epochs=2)], epochs=3)["probe_top1"]) == 2


def test_two_replicas(two_replicas):
    with two_replicas.scope():
        model = Watched()
        model.compile("sgd", "mse")
    knn = OnlineKNN(colors(60), k=5)
    assert fit(model, 2, [knn, OnlineProbe(knn, epochs=5)]).history["probe_top1"] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"knn": None}, r"`knn` to be an `OnlineKNN`. Received: knn=None"),
        ({"epochs": 0}, r"`epochs` to be a positive integer. Received: epochs=0"),
        ({"learning_rates": ()}, r"`learning_rates`.*Received: learning_rates=\(\)"),
        ({"learning_rates": (0.0,)}, r"`learning_rates` to be a positive number"),
        ({"held_out": 1}, r"`held_out` to be in .0, 1.. Received: held_out=1"),
        ({"seed": -1}, r"`seed` to be a non-negative integer. Received: seed=-1"),
    ],
)
def test_wrong_arguments(arguments, message):
    given = {"knn": OnlineKNN(colors(30), k=3), **arguments}
    with pytest.raises(ValueError, match=message):
        OnlineProbe(**given)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"`knn` with images of two classes.*of 1 classes"):
        OnlineProbe(OnlineKNN(colors(12, classes=1), k=3))
