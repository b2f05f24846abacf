"""Saving, loading and continuing: what comes next is the same."""

import errno
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import SelfDistillation, callbacks, optimizers, pairing
from tests.models import tiny
from tests.models.test_exchange import small_cnn

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
PAIRINGS = {
    "adasim": lambda: pairing.AdaptiveWindow(tiny.NUM_IMAGES, 2, 4, temperature=0.1, seed=2),
    "nearest": lambda: pairing.NearestNeighbor(tiny.NUM_IMAGES, 4),
    "self": pairing.SelfPairing,
    "oracle": lambda: pairing.LabelOracle(np.arange(tiny.NUM_IMAGES) % 4, seed=2),
}


def vit():
    return tiny.vit(depth=2, drop_path_rate=0.3)


def dropping():
    """As small as a backbone with random states can be."""
    return small_cnn(None, dropout=0.3)


def build(backbone=vit, name="adasim", **kwargs):
    keras.utils.set_random_seed(1)
    return tiny.model(
        backbone=backbone(),
        pairs=PAIRINGS[name](),
        optimizer=optimizers.AdamW(optimizers.WarmupCosine(1e-3, 1e-5, 30), 0.1, clipnorm=1.0),
        **kwargs,
    )


def fit(model, epochs, initial_epoch=0, batch_size=16, **kwargs):
    """Two steps an epoch."""
    batches = tiny.dataset(model, batch_size)
    model.fit(batches, epochs=epochs, initial_epoch=initial_epoch, verbose=0, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRINGS)
def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path, name):
    model = build(vit if name == "adasim" else lambda: small_cnn(None), name)
    fit(model, 2, batch_size=32)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_same(model, loaded)
    everyone = np.arange(tiny.NUM_IMAGES)
    np.testing.assert_array_equal(
        loaded.pairing.partners(everyone), model.pairing.partners(everyone)
    )
    for each in (model, loaded):
        fit(each, 3, initial_epoch=2, batch_size=32)
    assert_same(model, loaded)


def test_dropout_of_keras_goes_on_too(tmp_path):
    """A loaded model drew the first step's masks again."""
    model = build(dropping, "self", bank=None)
    tiny.train(model, steps=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        tiny.train(each, steps=1)
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


class Killed(Exception):
    pass


@pytest.mark.large
def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path):
    whole = build(dropping)
    fit(whole, 4, callbacks=[callbacks.Backup(tmp_path / "whole")])

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == 7:
                raise Killed

    broken = build(dropping)
    with pytest.raises(Killed):
        fit(broken, 4, callbacks=[callbacks.Backup(tmp_path / "broken"), Kill()])
    resumed = build(dropping)
    fit(resumed, 4, callbacks=[callbacks.Backup(tmp_path / "broken")])
    assert_same(whole, resumed)


def test_two_replicas_continue_too(tmp_path, two_replicas):
    class Copy(keras.callbacks.Callback):
        """What a run that was killed after two epochs leaves; one of its own would be traced."""

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                shutil.copytree(tmp_path / "whole", tmp_path / "killed")

    with two_replicas.scope():
        model = build(dropping)
    pairing_state = model.pairing.get_state()
    fit(model, 3, callbacks=[callbacks.Backup(tmp_path / "whole"), Copy()])
    whole = tiny.state(model), model.pairing.get_state()
    # Nothing of the run is left in the model but its graph, which took the time.
    for variable in [*model.variables, *model.optimizer.variables]:
        variable.assign(np.zeros_like(variable.numpy()))
    model.pairing.set_state(pairing_state)
    fit(model, 3, callbacks=[callbacks.Backup(tmp_path / "killed")])
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == ["epoch-2", "epoch-3"]
    tiny.assert_states_equal(whole[0], tiny.state(model), 1e-6)
    tiny.assert_copies_equal(model)
    for name, value in whole[1].items():
        np.testing.assert_array_equal(model.pairing.get_state()[name], value, err_msg=name)


def kill_after(model, steps):
    def kill():
        if int(model.optimizer.iterations.numpy()) == steps:
            raise Killed

    model.step_hooks.append(kill)


def logs_of(model, directory, epochs, dataset, **kwargs):
    """Fits with a backup; returns the logs of every epoch."""
    backup = callbacks.Backup(directory, **kwargs)
    return model.fit(dataset, epochs=epochs, verbose=0, callbacks=[backup]).history


@pytest.fixture(scope="module")
def whole_in_order(tmp_path_factory):
    """A model trained for three epochs without a break, and its logs."""
    model = build(dropping)
    dataset = tiny.dataset(model, 8, shuffle=False)  # Four steps an epoch.
    return model, logs_of(model, tmp_path_factory.mktemp("whole"), 3, dataset)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pairs", "tf.data"])
def test_an_epoch_goes_on_where_it_was_saved(tmp_path, whole_in_order, kind):
    def run(model):
        pairs = tiny.dataset(model, 8, shuffle=False)
        dataset = pairs if kind == "pairs" else pairs.as_tf_dataset()
        return logs_of(model, tmp_path, 3, dataset, every_steps=2)

    whole, expected = whole_in_order
    broken = build(dropping)
    kill_after(broken, 7)
    with pytest.raises(Killed):
        run(broken)
    assert {path.name for path in tmp_path.iterdir()} == {"epoch-1", "epoch-1-step-2"}
    resumed = build(dropping)
    logs = run(resumed)
    assert_same(whole, resumed)
    assert logs == {name: values[1:] for name, values in expected.items()}
    assert resumed.first_step == 0


@pytest.mark.large
def test_an_epoch_goes_on_where_it_was_saved_on_two_replicas(tmp_path, two_replicas):
    def run(directory, steps=None):
        with two_replicas.scope():
            model = build(dropping)
        if steps:
            kill_after(model, steps)
        return model, logs_of(model, directory, 3, tiny.dataset(model, 8), every_steps=1)

    whole, expected = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "broken", steps=7)
    resumed, logs = run(tmp_path / "broken")
    assert_same(whole, resumed)
    tiny.assert_copies_equal(resumed)
    assert logs == {name: values[1:] for name, values in expected.items()}


def test_records_of_an_epoch_are_written_once(tmp_path):
    model = build(dropping)
    fit(model, 3, callbacks=[callbacks.Backup(tmp_path)])
    files = {path.name: sorted(path.glob("window-*.npy")) for path in tmp_path.iterdir()}
    names = {name: [path.name for path in paths] for name, paths in files.items()}
    assert names == {
        "epoch-2": ["window-000000.npy", "window-000001.npy"],
        "epoch-3": ["window-000001.npy", "window-000002.npy"],
    }
    assert files["epoch-2"][1].samefile(files["epoch-3"][0])


def test_records_are_written_again_where_links_cannot_be(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    model = build(dropping)
    monkeypatch.setattr(os, "link", refuse)
    fit(model, 3, callbacks=[callbacks.Backup(tmp_path)])
    restored = build(dropping)
    assert callbacks.Backup(tmp_path).restore(restored) == 3
    assert_same(model, restored)


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


LOADED = """
import sys
import numpy as np
folder = sys.argv[1]
images = np.load(folder + "/images.npy")
{}
"""
LOAD = """
features = {}(folder + "/model.keras").embed(images)
np.testing.assert_allclose(features, np.load(folder + "/features.npy"), atol=1e-5)
"""
LOAD_BACKBONE = """
outputs = keras.models.load_model(folder + "/backbone.keras")(images[:, :8, :8] / 255.0)
np.testing.assert_allclose(outputs["tokens"], np.load(folder + "/tokens.npy"), atol=1e-6)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a model's and a backbone's files, some images, and what is made of them."""
    folder = tmp_path_factory.mktemp("saved")
    model = build()
    fit(model, 1)
    model.save(folder / "model.keras")
    model.teacher.save(folder / "backbone.keras")
    images = tiny.images()[:4]
    np.save(folder / "images.npy", images)
    np.save(folder / "features.npy", model.embed(images))
    np.save(folder / "tokens.npy", model.teacher(images[:, :8, :8] / 255.0)["tokens"])
    return folder


@pytest.mark.large
@pytest.mark.parametrize(
    "script",
    [
        "import keras, keras_adasim" + LOAD.format("keras.models.load_model") + LOAD_BACKBONE,
        "import keras_adasim"
        + LOAD.format("keras_adasim.SelfDistillation.load")
        # The classes used to be unknown to a Keras that was imported later.
        + "import keras"
        + LOAD.format("keras.models.load_model"),
    ],
    ids=["keras first", "keras_adasim first"],
)
def test_files_are_read_in_a_fresh_process(saved, script):
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(script), saved], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.large
def test_an_uncompiled_model_saves_and_loads(tmp_path):
    model = build(compiled=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.embed(tiny.images()), model.embed(tiny.images()))


@pytest.mark.slow
def test_a_file_of_version_0_2_is_read_and_goes_on():
    """Written when the training step was three objects; names and order of its parts are the same.

    `build()` was trained for two epochs, and the file's parts were then compressed.
    """
    model = keras.models.load_model(FIXTURES / "version_0_2.keras")
    model.run_eagerly = True  # Two steps don't pay for their graph.
    assert int(model.optimizer.iterations.numpy()) == 8
    assert model.pairing.pushes == 2
    assert model.bank.records()[1].max() > 0.5
    features = np.load(FIXTURES / "version_0_2_features.npy")
    np.testing.assert_allclose(model.embed(tiny.images()[:4]), features, atol=1e-5)
    assert tiny.state(build()).keys() == tiny.state(model).keys()
    dataset, begun = tiny.dataset(model), []
    dataset.set_epoch = lambda *place: begun.append(place)
    model.fit(dataset, epochs=3, initial_epoch=2, verbose=0)
    assert begun == [(2, 0)]


def test_another_model_is_not_loaded(tmp_path):
    """Whatever was in the file was returned."""
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"Received: path=.*a Sequential"):
        SelfDistillation.load(tmp_path / "other.keras")


def two_views(batch):
    images = tf.cast(batch["images"], tf.float32)[:, : tiny.SIZE, : tiny.SIZE] / 255
    return [images, images]


def test_an_augmentation_that_could_not_be_loaded_is_not_saved(tmp_path):
    model = tiny.model(augment=two_views)
    with pytest.raises(ValueError, match="`augment` to be a layer, or a function that is regist"):
        model.save(tmp_path / "model.keras")
    keras.saving.register_keras_serializable("tests")(two_views)
    model.save(tmp_path / "model.keras")
    assert SelfDistillation.load(tmp_path / "model.keras").augment is two_views
