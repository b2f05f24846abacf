"""A model whose bank is shared out among replicas, or has rows of float16."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import SelfDistillation, callbacks, layers
from tests.models import tiny


def with_bank(strategy=None, **arguments):
    """A model with such a bank, on one device or on several."""
    with (strategy or tf.distribute.get_strategy()).scope():
        bank = layers.NeighborBank(tiny.NUM_IMAGES, 16, topk=4, **arguments)
        return tiny.model(bank=bank)


def fit(model, folder, epochs, *others):
    backup = callbacks.Backup(folder)
    batches = tiny.dataset(model, 16)
    model.fit(batches, epochs=epochs, verbose=0, callbacks=[backup, *others])


def restored(folder, **arguments):
    """A new model with what the folder's newest checkpoint holds."""
    model = with_bank(**arguments)
    callbacks.Backup(folder).restore(model)
    return model


def assert_equal(model, other, tolerance=0):
    for ours, theirs in zip(model.bank.tables(), other.bank.tables(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0)


@pytest.mark.large
def test_a_sharded_bank_trains_as_a_whole_one(two_replicas, tmp_path):
    whole, sharded = with_bank(), with_bank(two_replicas, sharded=True)
    measures = [callbacks.Measures(every=1) for _ in range(2)]
    fit(whole, tmp_path / "whole", 2, measures[0])
    fit(sharded, tmp_path / "sharded", 2, measures[1])
    assert_equal(whole, sharded, 1e-5)
    records = [model.pairing.records([3, 5])[0] for model in (whole, sharded)]
    np.testing.assert_array_equal(*records)
    found = [measured.evaluate() for measured in measures]
    assert found[0].keys() == found[1].keys()
    assert found[1] == pytest.approx(found[0], abs=1e-4)
    # It goes on, bit by bit, as it would have.
    fit(sharded, tmp_path / "sharded", 3)
    again = with_bank(two_replicas, sharded=True)
    (tmp_path / "sharded" / "epoch-3").rename(tmp_path / "epoch-3")
    fit(again, tmp_path / "sharded", 3)
    assert_equal(again, sharded)
    tiny.assert_states_equal(tiny.state(again), tiny.state(sharded), 0)


def filled(strategy=None, **arguments):
    """A model that was not trained, with a bank of any numbers."""
    model, rng = with_bank(strategy, **arguments), np.random.default_rng(0)
    rows = rng.normal(size=(tiny.NUM_IMAGES, 16))
    ids = rng.integers(0, tiny.NUM_IMAGES, (tiny.NUM_IMAGES, 4))
    model.bank.set_weights([rows, ids, rng.random((tiny.NUM_IMAGES, 4))])
    return model


def test_any_number_of_replicas_goes_on_with_any_number_of_shards(two_replicas, tmp_path):
    whole, sharded = filled(), filled(two_replicas, sharded=True)
    for model, name in ((whole, "whole"), (sharded, "sharded")):
        backup = callbacks.Backup(tmp_path / name)
        backup.set_model(model)
        backup.save_within_epoch()
    # Each shard in a file of its own, without the row beside it.
    (folder,) = (tmp_path / "sharded").iterdir()
    shards = [np.load(folder / f"bank-{i}-of-2.npz") for i in range(2)]
    assert not (folder / "bank.npz").exists()
    for tables in zip(*(shard.values() for shard in shards), whole.bank.tables(), strict=True):
        np.testing.assert_array_equal(np.concatenate(tables[:2]), tables[2])
    assert_equal(restored(tmp_path / "sharded"), whole)
    assert_equal(restored(tmp_path / "sharded", sharded=True), whole)
    for name in ("whole", "sharded"):
        assert_equal(restored(tmp_path / name, strategy=two_replicas, sharded=True), whole)
    # A .keras file has all of it too.
    sharded.save(tmp_path / "model.keras")
    assert_equal(SelfDistillation.load(tmp_path / "model.keras"), whole)
    with two_replicas.scope():
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.bank.rows_kept.num_shards == 2
    assert_equal(loaded, whole)


def test_rows_of_other_images_go_with_them(two_replicas):
    model = with_bank(two_replicas, sharded=True)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(tiny.NUM_IMAGES, 16)).astype("float32")
    model.bank.set_weights([rows, *model.bank.tables()[1:]])
    names = [f"{i:032x}" for i in range(tiny.NUM_IMAGES)]
    model.pairing.keys = model.bank.keys = None
    with pytest.raises(ValueError, match="knows the images by their keys"):
        model.follow(names)
    keyed = layers.NeighborBank(tiny.NUM_IMAGES, 16, 4, keys=names)
    model.bank.keys = keyed.keys
    model.follow(names[:0:-2])
    assert model.bank.sharded
    np.testing.assert_array_equal(model.bank.features, rows[:0:-2])


def test_a_value_that_is_not_finite_is_found_in_every_shard(two_replicas, tmp_path):
    model = with_bank(two_replicas, sharded=True)
    rows = np.zeros((tiny.NUM_IMAGES, 16), np.float32)
    rows[-1] = np.nan
    model.bank.set_weights([rows, *model.bank.tables()[1:]])
    backup = callbacks.Backup(tmp_path)
    backup.set_model(model)
    with pytest.raises(RuntimeError, match="features"):
        backup.save_within_epoch()


def test_rows_of_float16(tmp_path):
    half, full = with_bank(row_dtype="float16"), with_bank()
    for model, name in ((half, "half"), (full, "full")):
        fit(model, tmp_path / name, 1)
    assert half.bank.features.dtype == "float16"
    features = [model.bank.features.numpy() for model in (half, full)]
    # The first epoch finds nothing, so both have learned the same.
    np.testing.assert_array_equal(features[0], features[1].astype("float16"))
    assert half.bank.rows([0, 3]).dtype == np.float32
    np.testing.assert_allclose(half.bank.records()[1], full.bank.records()[1], atol=1e-3)
    assert_equal(restored(tmp_path / "half", row_dtype="float16"), half)
    with pytest.raises(ValueError, match="of float16 rows saved, `row_dtype`=float32 here"):
        restored(tmp_path / "half")
    with pytest.raises(ValueError, match="of float32 rows saved, `row_dtype`=float16 here"):
        restored(tmp_path / "full", row_dtype="float16")
    half.save(tmp_path / "model.keras")
    assert_equal(SelfDistillation.load(tmp_path / "model.keras"), half)
