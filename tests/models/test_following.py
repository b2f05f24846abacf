"""A model that goes on with other images: rows and records go with the keys."""

import numpy as np
import pytest

from keras_adasim import SelfDistillation, data, layers, pairing
from tests.models import tiny
from tests.models.test_exchange import small_cnn

IMAGES = tiny.images()


def sources():
    """The images there were; and those now, in another order, of which two are new."""
    rng = np.random.default_rng(3)
    new = rng.integers(0, 256, (2, 12, 12, 3), np.uint8)
    order = rng.permutation(tiny.NUM_IMAGES)[:26]
    now = np.concatenate([new[:1], IMAGES[order], new[1:]])
    return data.ArraySource(IMAGES), data.ArraySource(now), np.array([-1, *order, -1])


def model_of(source, pairs="adasim", with_keys=True):
    keys = source.keys if with_keys else None
    arguments = {"num_images": len(source), "topk": 4, "keys": keys}
    if pairs == "adasim":
        arguments["window"] = 1
    if pairs == "oracle":
        arguments = {"labels": np.arange(len(source)) % 4, "keys": keys}
    backbone = small_cnn(None)
    bank = layers.NeighborBank(len(source), backbone.output["features"].shape[-1], 4, keys=keys)
    return tiny.model(backbone, pairs=pairing.get(pairs, **arguments), bank=bank)


def fit(model, source, epochs, **kwargs):
    batches = data.PairDataset(source, model.pairing, 14 if len(source) == 28 else 16)
    model.fit(batches, epochs=epochs, verbose=0, **kwargs)


@pytest.mark.slow
def test_a_loaded_model_goes_on_with_other_images(tmp_path):
    before, now, previous = sources()
    model = model_of(before)
    fit(model, before, 1)
    rows, (ids, similarities) = model.bank.features.numpy(), model.bank.records()
    model.save(tmp_path / "model.keras")
    loaded = SelfDistillation.load(tmp_path / "model.keras")
    assert loaded.pairing.keys == loaded.bank.keys == before.keys
    with pytest.raises(ValueError, match="28"):
        data.PairDataset(now, loaded.pairing, 14)
    loaded.follow(now.keys)
    assert len(loaded.variables) == len(model.variables)
    kept = previous >= 0
    np.testing.assert_array_equal(loaded.bank.features.numpy()[kept], rows[previous[kept]])
    assert not loaded.bank.features.numpy()[~kept].any()
    assert loaded.pairing.pushes == 1
    assert not loaded.pairing.distribution(np.flatnonzero(~kept))[2].any()
    names = [before.keys[i] for i in range(len(before))]
    for row in np.flatnonzero(kept):
        seen = zip(ids[previous[row]], similarities[previous[row]], strict=True)
        expected = {names[i]: s for i, s in seen if names[i] in set(now.keys)}
        latest = [table[0, -1] for table in loaded.pairing.records([row])]
        found = {now.keys[i]: s for i, s in zip(*latest, strict=True) if i >= 0}
        assert found.keys() == expected.keys()
        np.testing.assert_allclose([found[n] for n in expected], list(expected.values()), atol=1e-6)
    fit(loaded, now, 2, initial_epoch=1)
    assert loaded.bank.features.numpy().any(axis=1).all()
    assert loaded.pairing.pushes == 2


def test_images_in_another_order_are_refused_and_can_be_followed():
    before, _, _ = sources()
    model = model_of(before, "nearest")
    turned = data.ArraySource(IMAGES[::-1])
    with pytest.raises(ValueError, match=r"Call `model.follow\(source.keys\)`"):
        fit(model, turned, 1)
    fit(model, before, 1)
    rows, partners = model.bank.features.numpy(), model.pairing.partners(np.arange(32))
    model.follow(list(turned.keys))
    np.testing.assert_array_equal(model.bank.features.numpy(), rows[::-1])
    np.testing.assert_array_equal(model.pairing.partners(np.arange(32)), 31 - partners[::-1])


def test_labels_of_the_oracle_go_with_their_images():
    before, now, previous = sources()
    model = model_of(before, "oracle")
    model.pairing = pairing.deserialize(pairing.serialize(model.pairing))
    model.pairing.set_state(model_of(before, "oracle").pairing.get_state())
    model.follow(now.keys)
    partners = model.pairing.partners(np.arange(len(now)))
    kept = previous >= 0
    np.testing.assert_array_equal(previous[partners[kept]] % 4, previous[kept] % 4)
    assert (partners != np.arange(len(now)))[kept].any()
    # Nobody knows the labels of new images.
    np.testing.assert_array_equal(partners[~kept], np.flatnonzero(~kept))


def test_without_keys_nothing_can_follow():
    before, now, _ = sources()
    with pytest.raises(ValueError, match="`pairing` or `bank` knows the images by their keys"):
        model_of(before, with_keys=False).follow(now.keys)


def test_keys_that_do_not_fit_are_refused():
    before, now, _ = sources()
    with pytest.raises(ValueError, match="`keys` to be one for each of the 32 images"):
        pairing.AdaptiveWindow(32, 2, 4, keys=now.keys)
    with pytest.raises(ValueError, match="`keys` to be one for each of the 32 images"):
        layers.NeighborBank(32, 16, keys=now.keys)
    others = data.ArraySource(IMAGES[::-1]).keys
    with pytest.raises(ValueError, match="`pairing` and `bank` with the same `keys`"):
        tiny.model(
            pairs=pairing.AdaptiveWindow(32, 2, 4, keys=before.keys),
            bank=layers.NeighborBank(32, 16, 4, keys=others),
        )
    state = pairing.AdaptiveWindow(32, 2, 4, keys=before.keys).get_state()
    with pytest.raises(ValueError, match=r"Received: other keys, '[0-9a-f]{32}' and so on"):
        pairing.AdaptiveWindow(32, 2, 4, keys=others).set_state(state)
    unnamed = pairing.AdaptiveWindow(32, 2, 4)
    unnamed.set_state(state)
    assert unnamed.keys == before.keys
