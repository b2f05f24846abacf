"""A checkpoint that is gone on from with other images: rows and records go with their images."""

import pathlib
import shutil

import keras
import numpy as np
import pytest

from keras_adasim import callbacks, data, layers, pairing
from tests.models import tiny
from tests.models.test_exchange import small_cnn

IMAGES = tiny.images()
OTHERS = np.random.default_rng(3).integers(0, 256, (40, 12, 12, 3), np.uint8)


class Stop(Exception):
    pass


def stop_at(step):
    """Stops before a step, counted over all epochs."""
    steps = iter(range(100))

    def stop(batch, logs=None):
        if next(steps) == step:
            raise Stop

    return keras.callbacks.LambdaCallback(on_train_batch_begin=stop)


def build(images, folder, **kwargs):
    """A small model, its data set, and the callback that saves and restores it."""
    source, backbone = data.ArraySource(images), small_cnn(None)
    bank = layers.NeighborBank(len(source), backbone.output["features"].shape[-1], 3)
    model = tiny.model(backbone, pairs=pairing.AdaptiveWindow(len(source), 2, 3), bank=bank)
    batches = data.PairDataset(source, model.pairing, 16)
    backup = callbacks.Backup(folder, images=data.Inventory.of(source), **kwargs)
    return model, batches, backup


def train(images, folder, epochs, *others, **kwargs):
    model, batches, backup = build(images, folder, **kwargs)
    model.fit(batches, epochs=epochs, verbose=0, callbacks=[backup, *others])
    return model


def restore(images, folder, **kwargs):
    """What `fit` does before its first epoch."""
    model, batches, backup = build(images, folder, **kwargs)
    backup.set_params({"steps": len(batches)})
    backup.set_model(model)
    backup.on_train_begin()
    return model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run that was stopped in its third epoch, and its model after two."""
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    with pytest.raises(Stop):
        train(IMAGES, folder, 3, stop_at(5), every_steps=1)
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-2", "epoch-2-step-1"]
    within = shutil.move(folder / "epoch-2-step-1", folder.parent / "epoch-2-step-1")
    return folder, within, restore(IMAGES, folder)


@pytest.fixture
def folder(trained, tmp_path):
    return pathlib.Path(shutil.copytree(trained[0], tmp_path / "checkpoints"))


def records_by_image(model, images, epoch):
    """Of every image, as bytes, its neighbors of an epoch and their similarities."""
    names = [image.tobytes() for image in images]
    ids, similarities = model.pairing.records(np.arange(len(images)))
    return {
        name: {names[i]: s for i, s in zip(*row, strict=True) if i >= 0}
        for name, *row in zip(names, ids[:, epoch], similarities[:, epoch], strict=True)
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "now",
    [IMAGES[::-1], IMAGES[5:], np.concatenate([OTHERS[:17], IMAGES])],
    ids=["order", "fewer", "more"],
)
def test_rows_and_records_go_with_their_images(trained, folder, now, capsys):
    before, model = trained[2], restore(now, folder)
    kept = {image.tobytes() for image in IMAGES} & {image.tobytes() for image in now}
    rows = dict(zip([i.tobytes() for i in IMAGES], before.bank.features.numpy(), strict=True))
    for image, row in zip(now, model.bank.features.numpy(), strict=True):
        np.testing.assert_array_equal(row, rows.get(image.tobytes(), np.zeros(8)))
    for epoch in (0, 1):
        old = records_by_image(before, IMAGES, epoch)
        for name, found in records_by_image(model, now, epoch).items():
            expected = {n: s for n, s in old.get(name, {}).items() if n in kept}
            assert found == pytest.approx(expected, abs=1e-6)
    assert model.pairing.pushes == 2
    # The schedules stand where two epochs bring them.
    assert int(model.optimizer.iterations.numpy()) == 2 * (len(now) // 16)
    assert "of 32 images; what is known of the others goes with them" in capsys.readouterr().out
    for one, two in zip(before.student.weights, model.student.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


@pytest.mark.slow
def test_the_next_checkpoint_is_of_the_images_there_are(folder):
    """Records of epochs that never change were linked, with the rows of the images before."""
    now = np.concatenate([OTHERS[:3], IMAGES[::-1]])
    model = train(now, folder, 4)
    newest = {path.name: path.stat().st_nlink for path in (folder / "epoch-4").iterdir()}
    # Both were written after epoch 3, and are the same after epoch 4.
    assert (newest["images.npz"], newest["window-000002.npy"]) == (2, 2)
    again = restore(now, folder)
    for name, value in model.pairing.get_state().items():
        np.testing.assert_array_equal(value, again.pairing.get_state()[name])
    np.testing.assert_array_equal(model.bank.features.numpy(), again.bank.features.numpy())
    assert int(again.optimizer.iterations.numpy()) == 4 * 2


def test_an_epoch_that_was_begun_begins_again(trained, folder):
    shutil.copytree(trained[1], folder / "epoch-2-step-1")
    assert restore(IMAGES, folder).first_step == 1
    model = restore(IMAGES[16:], folder)
    assert model.first_step == 0
    assert int(model.optimizer.iterations.numpy()) == 2
    assert model.pairing.pushes == 2


def test_a_run_of_other_images_is_refused_unless_one_insists(folder):
    with pytest.raises(ValueError, match=r"half of the 32 images.*Received: 0 .*accept_changes"):
        restore(OTHERS, folder)
    few = np.concatenate([OTHERS, IMAGES[:15]])
    with pytest.raises(ValueError, match="Received: 15 of them"):
        restore(few, folder)
    model = restore(few, folder, accept_changes=True)
    assert np.count_nonzero(model.bank.features.numpy().any(axis=1)) == 15


def test_a_damaged_list_of_images_is_named(folder):
    _, _, backup = build(IMAGES, folder)
    assert not backup.changes()
    list_of_images = folder / "epoch-2" / "images.npz"
    content = list_of_images.read_bytes()
    list_of_images.write_bytes(content[:90] + bytes(len(content) - 90))
    assert backup.changes() is None
    with pytest.raises(ValueError, match=r"whole checkpoint.*images\.npz"):
        restore(IMAGES, folder)
