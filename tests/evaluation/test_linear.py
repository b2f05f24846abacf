import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.evaluation import LinearProbe
from keras_adasim.evaluation.linear import batches_of, parts_of_blocks

PARTS = {"1 block": (3, 6), "2 blocks": (0, 6), "2 blocks + patches": (0, 8)}
RATES = (0.01, 0.3, 2.0)


def _data(count=64, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 7, count)
    features = rng.normal(size=(count, 8)) + 2 * np.eye(8)[labels]
    return features.astype(np.float32), labels


def _by_hand(features, labels, rate, steps, momentum, kernel, batch_size):
    """One classifier in NumPy."""
    bias, velocities = np.zeros(7), [0.0, 0.0]
    for step, (x, y) in enumerate(batches_of(features, labels, batch_size, epochs=5)):
        logits = x @ kernel + bias
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        error = (shares / shares.sum(axis=1, keepdims=True) - np.eye(7)[y]) / len(y)
        velocities = [
            momentum * v + g for v, g in zip(velocities, (x.T @ error, error.sum(0)), strict=True)
        ]
        factor = rate * (1 + np.cos(np.pi * step / steps)) / 2
        kernel, bias = kernel - factor * velocities[0], bias - factor * velocities[1]
    return kernel, bias


def test_the_sweep_equals_separate_runs_after_20_steps():
    """Every classifier comes to what it would come to alone, and to NumPy's."""
    features, labels = _data()
    probe = LinearProbe(8, 7, 20, RATES, PARTS, momentum=0.8, seed=5)
    initial = {name: kernel.numpy() for name, kernel in probe.kernels.items()}
    for batch in batches_of(features, labels, 16, epochs=5):
        losses = probe.train_step(*batch)
    assert probe.iterations.numpy() == 20
    assert {name: loss.shape for name, loss in losses.items()} == dict.fromkeys(PARTS, (3,))
    for name, (start, stop) in PARTS.items():
        alone = LinearProbe(8, 7, 20, [RATES[1]], {name: (start, stop)}, momentum=0.8, seed=5)
        for batch in batches_of(features, labels, 16, epochs=5):
            alone.train_step(*batch)
        found = probe.kernels[name].numpy()
        np.testing.assert_allclose(found[:, 1], alone.kernels[name][:, 0], atol=1e-5)
        np.testing.assert_allclose(probe.biases[name][1], alone.biases[name][0], atol=1e-5)
        for place, rate in enumerate(RATES):
            kernel, bias = _by_hand(
                features[:, start:stop], labels, rate, 20, 0.8, initial[name][:, place], 16
            )
            np.testing.assert_allclose(found[:, place], kernel, atol=1e-5)
            np.testing.assert_allclose(probe.biases[name][place], bias, atol=1e-5)


def test_accuracies_are_counted_over_batches():
    features, labels = _data()
    probe = LinearProbe(8, 7, 8, RATES, PARTS)
    for batch in batches_of(features, labels, 16, epochs=2):
        probe.train_step(*batch)
    found = probe.accuracies(batches_of(features, labels, 10))
    for name, logits in probe.logits(tf.constant(features)).items():
        ranked = np.argsort(-logits.numpy(), axis=-1)
        top1 = np.mean(ranked[..., 0] == labels[:, None], axis=0)
        top5 = np.mean(np.any(ranked[..., :5] == labels[:, None, None], axis=-1), axis=0)
        np.testing.assert_allclose(found[name], np.stack([top1, top5], axis=1))
    name, place = probe.best(found)
    assert found[name][place, 0] == max(each[:, 0].max() for each in found.values())
    assert found[name][place, 0] > 0.7


def test_a_diverged_classifier_and_an_unknown_label_are_never_right():
    features, labels = _data(10)
    probe = LinearProbe(8, 7, 2, [0.1, 0.2])
    probe.kernels["features"].assign(np.stack([np.full((8, 7), np.nan), np.eye(8)[:, :7]], axis=1))
    assert (probe.accuracies([(features, labels)])["features"][0] == 0).all()
    assert probe.accuracies([(features, labels)])["features"][1, 0] > 0.5
    assert probe.accuracies([(features, np.full(10, 7))])["features"].sum() == 0


def test_batches():
    features, labels = _data(5)
    parts = list(batches_of(features, labels, 2))
    np.testing.assert_array_equal(np.concatenate([part for part, _ in parts]), features)
    twice = [label for _, part in batches_of(features, np.arange(5), 2, epochs=2) for label in part]
    assert sorted(twice[:5]) == sorted(twice[5:]) == list(range(5))
    assert twice[:5] != twice[5:]


def test_parts_of_the_last_blocks():
    assert parts_of_blocks(3, 4, (1, 4, 9), patches=True) == {
        "1 block": (9, 12),
        "1 block + patches": (9, 15),
        "4 blocks": (0, 12),
        "4 blocks + patches": (0, 15),
    }
    with pytest.raises(ValueError, match=r"`blocks` with a number up to 2.*blocks=\(3,\)"):
        parts_of_blocks(3, 2, (3,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"feature_dim": 0}, "feature_dim=0"),
        ({"num_classes": 1}, "`num_classes` to be an integer of at least 2.*num_classes=1"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"learning_rates": []}, r"`learning_rates` to be a list.*\[\]"),
        ({"learning_rates": [float("nan")]}, "learning_rates=nan"),
        ({"parts": {"a": (0, 9)}}, r"`parts` to be a dict.*8 features.*\(0, 9\)"),
        ({"parts": 3}, "parts=3"),
        ({"momentum": 1}, "momentum=1"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LinearProbe(**{"feature_dim": 8, "num_classes": 7, "steps": 2, **arguments})


def test_wrong_batches():
    features, labels = _data(4)
    probe = LinearProbe(8, 7, 2)
    with pytest.raises(ValueError, match=r"`features` to be an array of floats of shape \(B, 8\)"):
        probe.train_step(features[:, :3], labels)
    with pytest.raises(ValueError, match=r"`labels` to be .* 4 of them"):
        probe.train_step(features, labels[:3])
    with pytest.raises(ValueError, match="`batches` of at least one image"):
        probe.accuracies([])
