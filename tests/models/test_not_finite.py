"""A step that isn't finite changes nothing, and is said."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import NotFiniteError, callbacks, data, export, optimizers, pairing
from keras_adasim.checkpoints import training_state
from keras_adasim.models import finite
from tests.models import tiny
from tests.models.test_exchange import small_cnn
from tests.objectives.tiny import make

WAYS = [
    ("one", "eager"),
    pytest.param("one", "compiled", marks=pytest.mark.large),
    pytest.param("two", "inline", marks=pytest.mark.large),
]


class Poison(keras.layers.Layer):
    """Two views, the images as they are, but for those that are to be NaN."""

    def __init__(self, indices=()):
        super().__init__()
        self.indices = tf.Variable(np.isin(np.arange(tiny.NUM_IMAGES), indices), trainable=False)

    def call(self, batch):
        images = tf.image.resize(tf.cast(batch["images"], tf.float32) / 255, (tiny.SIZE, tiny.SIZE))
        bad = tf.gather(tf.convert_to_tensor(self.indices), batch["indices"])
        images = tf.where(bad[:, None, None, None], np.float32(np.nan), images)
        return [images, images[:, ::-1]]


def build(objective="byol", way="eager", poison=()):
    return tiny.model(
        small_cnn(True),
        make(objective),
        optimizer=optimizers.SGD(0.02, momentum=0.9),
        augment=Poison(poison),
        jit_compile=way == "compiled",
        run_eagerly=way == "eager",
    )


def batch(model, rows):
    images = tiny.images()
    return {"indices": rows, "images": images[rows], "partners": images[rows]}


@pytest.mark.parametrize(("devices", "way"), WAYS)
def test_nothing_changes_but_the_step(devices, way, two_replicas):
    """The one bad image is among those of the second replica."""
    strategy = two_replicas if devices == "two" else tf.distribute.get_strategy()
    with strategy.scope():
        model = build("nnclr" if way == "compiled" else "byol", way, poison=[15])
    batches = tf.data.Dataset.from_tensor_slices(batch(model, np.arange(16))).batch(8)
    model.fit(batches.take(1), verbose=0)
    before = tiny.state(model)
    with pytest.raises(NotFiniteError, match=r"step 1 \(learning rate 0\.02,"):
        model.fit(batches.skip(1), verbose=0)
    after = tiny.state(model)
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    assert [name.split(":")[1] for name in changed] == ["optimizer"]
    assert after[changed[0]] == before[changed[0]] + 1
    tiny.assert_copies_equal(model)


def test_float16_goes_on_after_an_overflow():
    keras.mixed_precision.set_global_policy("mixed_float16")
    model = build(poison=[3])
    model.loss_scale.scale.assign(8.0)
    rows = np.arange(tiny.NUM_IMAGES)
    history = model.fit(tf.data.Dataset.from_tensor_slices(batch(model, rows)).batch(8), verbose=0)
    assert history.history["skipped_steps"] == [1]
    assert np.isfinite(history.history["loss"]).all()
    assert float(model.loss_scale.scale.numpy()) == 4
    visited = model.bank.rows(rows).any(axis=1)
    np.testing.assert_array_equal(visited, rows >= 8)


def test_float16_ends_after_many_in_a_row(monkeypatch):
    keras.mixed_precision.set_global_policy("mixed_float16")
    model = build(poison=range(tiny.NUM_IMAGES))
    rows = np.arange(tiny.NUM_IMAGES)
    batches = tf.data.Dataset.from_tensor_slices(batch(model, rows)).batch(2)
    monkeypatch.setattr(finite, "OVERFLOWS_IN_A_ROW", 4)
    with pytest.raises(NotFiniteError, match="the last of 4 in a row"):
        model.fit(batches, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 5


def test_the_images_of_the_step_are_named():
    model = build("simclr", poison=[7])
    source = data.ArraySource(tiny.images())
    pairs = data.PairDataset(source, model.pairing, batch_size=2, seed=5)
    with pytest.raises(NotFiniteError, match=r"images .*image 7 of the array"):
        model.fit(pairs, verbose=0)


class Diverge(keras.callbacks.Callback):
    """Makes a weight NaN in the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            bias = self.model.student.trainable_variables[-1]
            bias.assign(np.full(bias.shape, np.nan, "float32"))


def plain():
    model = tiny.model(pairs=pairing.SelfPairing(), bank=None, augment=tiny.crops_only())
    return model, tiny.dataset(model)


@pytest.mark.slow
@pytest.mark.parametrize("extra", [[], [keras.callbacks.TerminateOnNaN()]])
def test_the_last_finite_checkpoint_survives(extra, tmp_path):
    model, pairs = plain()
    backup = callbacks.Backup(tmp_path)
    with pytest.raises(NotFiniteError):
        model.fit(pairs, epochs=3, verbose=0, callbacks=[Diverge(), *extra, backup])
    assert [folder.name for folder in tmp_path.iterdir()] == ["epoch-1"]
    fresh, _ = plain()
    assert backup.restore(fresh) == 1
    assert all(np.isfinite(weight.numpy()).all() for weight in fresh.weights)


@pytest.mark.slow
def test_nan_is_neither_saved_nor_restored_nor_exported(tmp_path, monkeypatch):
    model, _ = plain()
    backup = callbacks.Backup(tmp_path)
    backup.set_model(model)
    backup.on_train_begin()
    monkeypatch.setattr(training_state, "check_finite", lambda *_: None)
    bias = model.teacher.weights[-1]
    bias.assign(np.full(bias.shape, np.inf, "float32"))
    backup.on_epoch_end(0)
    monkeypatch.undo()
    with pytest.raises(NotFiniteError, match=r"epoch 2, which was not saved.*in norm/beta"):
        backup.on_epoch_end(1)
    with pytest.raises(ValueError, match=r"Received: epoch-1: .*NaN or infinite.*norm/beta"):
        backup.restore(plain()[0])
    with pytest.raises(NotFiniteError, match="the backbone to export"):
        export.export_backbone(model, tmp_path / "export", tiny.SIZE)
    assert not (tmp_path / "export").exists()
