"""Saving, loading and continuing: what comes next is the same."""

import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_adasim import callbacks, optimizers, pairing
from tests.models import tiny

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
PAIRINGS = {
    "adasim": lambda: pairing.AdaptiveWindow(tiny.NUM_IMAGES, 2, 4, temperature=0.1, seed=2),
    "nearest": lambda: pairing.NearestNeighbor(tiny.NUM_IMAGES, 4),
    "self": pairing.SelfPairing,
    "oracle": lambda: pairing.LabelOracle(np.arange(tiny.NUM_IMAGES) % 4, seed=2),
}


def build(name="adasim", **kwargs):
    keras.utils.set_random_seed(1)
    return tiny.model(
        backbone=tiny.vit(drop_path_rate=0.3),
        pairs=PAIRINGS[name](),
        optimizer=optimizers.AdamW(optimizers.WarmupCosine(1e-3, 1e-5, 30), 0.1, clipnorm=1.0),
        augment=tiny.crops_only(),
        **kwargs,
    )


def fit(model, epochs, initial_epoch=0, **kwargs):
    model.fit(tiny.dataset(model), epochs=epochs, initial_epoch=initial_epoch, verbose=0, **kwargs)


@pytest.mark.parametrize("name", PAIRINGS)
def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path, name):
    model = build(name)
    fit(model, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(model, loaded)
    everyone = np.arange(tiny.NUM_IMAGES)
    np.testing.assert_array_equal(
        loaded.pairing.partners(everyone), model.pairing.partners(everyone)
    )
    for each in (model, loaded):
        fit(each, 4, initial_epoch=3)
    assert_same(model, loaded)


def assert_same(first, second):
    """Every variable equal, and so is the pairing's state."""
    for (name, one), two in zip(
        tiny.state(first).items(), tiny.state(second).values(), strict=True
    ):
        np.testing.assert_array_equal(one, two, err_msg=name)
    states = [model.pairing.get_state() for model in (first, second)]
    for name, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][name], err_msg=name)


def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path):
    whole = build()
    fit(whole, 5, callbacks=[callbacks.Backup(tmp_path / "whole")])

    class Killed(Exception):
        pass

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == 14:
                raise Killed

    broken = build()
    with pytest.raises(Killed):
        fit(broken, 5, callbacks=[callbacks.Backup(tmp_path / "broken"), Kill()])
    resumed = build()
    fit(resumed, 5, callbacks=[callbacks.Backup(tmp_path / "broken")])
    assert_same(whole, resumed)


def test_two_replicas_continue_too(tmp_path, two_replicas):
    models = []
    for name, parts in (("whole", [3]), ("parts", [2, 3])):
        for epochs in parts:
            with two_replicas.scope():
                model = build()
            fit(model, epochs, callbacks=[callbacks.Backup(tmp_path / name)])
        models.append(model)
    tiny.assert_states_equal(*(tiny.state(model) for model in models), 1e-6)
    tiny.assert_copies_equal(models[1])


def test_frozen_layers_stay_frozen(tmp_path):
    """Keras rebuilds layers trainable, and then passes over the optimizer's variables."""
    keras.utils.set_random_seed(1)
    backbone = tiny.vit()
    backbone.patch_embedding.trainable = False
    model = tiny.model(backbone, optimizer=optimizers.AdamW(1e-3, 0.1))
    kernel = backbone.patch_embedding.weights[0].numpy()
    fit(model, 1)
    np.testing.assert_array_equal(backbone.patch_embedding.weights[0].numpy(), kernel)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not loaded.student.patch_embedding.trainable
    assert_same(model, loaded)


@pytest.mark.parametrize(
    ("imports", "load"),
    [
        ("keras, keras_adasim", "keras.models.load_model"),
        # The classes used to be unknown to a Keras that was imported later.
        ("keras_adasim, keras", "keras.models.load_model"),
        ("keras_adasim", "keras_adasim.SelfDistillation.load"),
    ],
)
def test_a_file_is_read_in_a_fresh_process(tmp_path, imports, load):
    model = build()
    fit(model, 1)
    model.save(tmp_path / "model.keras")
    images = tiny.images()[:4]
    np.save(tmp_path / "images.npy", images)
    script = f"""
import {imports}
import numpy as np
model = {load}({str(tmp_path / "model.keras")!r})
np.save({str(tmp_path / "features.npy")!r}, model.embed(np.load({str(tmp_path / "images.npy")!r})))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "features.npy"), model.embed(images), atol=1e-5)


def test_an_uncompiled_model_saves_and_loads(tmp_path):
    model = build(compiled=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.embed(tiny.images()), model.embed(tiny.images()))


def test_a_file_of_version_0_2_is_read_and_goes_on():
    """Written when the training step was three objects; names and order of its parts are the same.

    `build()` was trained for two epochs, and the file's parts were then compressed.
    """
    model = keras.models.load_model(FIXTURES / "version_0_2.keras")
    assert int(model.optimizer.iterations.numpy()) == 8
    assert model.pairing.pushes == 2
    assert model.bank.records()[1].max() > 0.5
    features = np.load(FIXTURES / "version_0_2_features.npy")
    np.testing.assert_allclose(model.embed(tiny.images()[:4]), features, atol=1e-5)
    assert tiny.state(build()).keys() == tiny.state(model).keys()
    dataset, begun = tiny.dataset(model), []
    dataset.set_epoch = begun.append
    model.fit(dataset, epochs=3, initial_epoch=2, verbose=0)
    assert begun == [2]
