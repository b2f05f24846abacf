"""What all pairings have in common."""

import threading

import numpy as np
import pytest

from keras_adasim import pairing

NUM_IMAGES, TOPK, WINDOW = 60, 3, 2


def build(name):
    arguments = {
        "self": {},
        "nearest": {"num_images": NUM_IMAGES, "topk": TOPK},
        "adasim": {"num_images": NUM_IMAGES, "window": WINDOW, "topk": TOPK, "temperature": 0.5},
        "oracle": {"labels": np.arange(NUM_IMAGES) % 5, "seed": 1},
    }
    return pairing.get(name, **arguments[name])


def records(epoch):
    rng = np.random.default_rng(epoch)
    ids = rng.integers(0, NUM_IMAGES, (NUM_IMAGES, TOPK))
    ids[:, 0] = np.arange(NUM_IMAGES)
    return ids, -np.sort(-rng.random(ids.shape, np.float32), axis=1)


every_pairing = pytest.mark.parametrize("name", ["self", "nearest", "adasim", "oracle"])


@every_pairing
def test_partners_are_ids_and_equal_until_the_next_push(name):
    built = build(name)
    for epoch in range(WINDOW + 1):
        partners = built.partners(np.arange(NUM_IMAGES))
        assert partners.dtype == np.int64
        assert partners.min() >= 0
        assert partners.max() < NUM_IMAGES
        np.testing.assert_array_equal(built.partners(np.arange(NUM_IMAGES)[::2]), partners[::2])
        share = np.mean(partners == np.arange(NUM_IMAGES))
        assert built.statistics()["partner_is_self"] == pytest.approx(share)
        np.testing.assert_array_equal(built.partners(np.arange(NUM_IMAGES)), partners)
        built.push(*records(epoch))
    assert built.partners([]).shape == (0,)


@every_pairing
def test_answers_are_the_callers_own(name):
    built = build(name)
    for indices in (np.arange(NUM_IMAGES), np.arange(NUM_IMAGES)[::-1]):
        built.partners(indices)[...] = -7
        assert built.partners(indices).min() >= 0
    assert indices.min() == 0
    built.statistics().clear()
    assert built.statistics()


@every_pairing
def test_config_and_state_decide_what_comes_next(name):
    built = build(name)
    for epoch in range(WINDOW + 1):
        built.push(*records(epoch))
    restored = pairing.deserialize(pairing.serialize(built))
    restored.statistics()
    restored.set_state(built.get_state())
    assert restored.pushes == built.pushes
    for epoch in range(9, 12):
        assert restored.statistics() == built.statistics()
        np.testing.assert_array_equal(
            restored.partners(np.arange(NUM_IMAGES)), built.partners(np.arange(NUM_IMAGES))
        )
        restored.push(*records(epoch))
        built.push(*records(epoch))


@every_pairing
def test_a_state_is_a_copy_of_plain_arrays(name):
    built = build(name)
    built.push(*records(0))
    state = built.get_state()
    kept = {key: value.copy() for key, value in state.items()}
    built.push(*records(1))
    for key, value in state.items():
        assert isinstance(value, np.ndarray)
        np.testing.assert_array_equal(value, kept[key])


@every_pairing
def test_a_foreign_state_is_refused_and_changes_nothing(name):
    built = build(name)
    built.push(*records(0))
    state = built.get_state()
    with pytest.raises(ValueError, match="with the entries"):
        built.set_state(state | {"more": np.zeros(3)})
    with pytest.raises(ValueError, match="with the entries"):
        built.set_state({})
    for key, value in state.items():
        with pytest.raises(ValueError, match="Build the pairing with the arguments"):
            built.set_state({**state, key: np.zeros((2, 2), value.dtype)})
        with pytest.raises(ValueError, match="and dtype"):
            built.set_state({**state, key: value.astype(np.float64)})
    with pytest.raises(ValueError, match="state\\['pushes'\\]"):
        built.set_state({**state, "pushes": np.asarray(-1)})
    for key, value in built.get_state().items():
        np.testing.assert_array_equal(value, state[key])


def test_a_push_from_another_thread_never_shows_half():
    built = pairing.AdaptiveWindow(4000, window=1, topk=2)
    own, ones = np.arange(4000), np.ones((4000, 2))
    built.push(np.stack([own, own], axis=1), ones)
    stop, seen = threading.Event(), set()

    def ask():
        while not stop.is_set():
            seen.add(built.distribution(own)[2].mean())

    thread = threading.Thread(target=ask)
    thread.start()
    for epoch in range(20):
        others = (own + epoch % 2) % 4000
        built.push(np.stack([others, others], axis=1), ones)
    stop.set()
    thread.join()
    assert seen <= {0.0, 1.0}


def test_the_base_class_asks_for_draws():
    with pytest.raises(NotImplementedError, match="must implement `_draw"):
        pairing.Pairing(3).partners([0])


def test_a_pairing_of_ones_own_may_ask_itself_while_statistics_are_made():
    """Draws in other threads waited for ever for the lock that the caller of statistics holds."""

    class Cautious(pairing.AdaptiveWindow):
        def _draw(self, indices):
            return self.distribution(indices)[0][:, 0]

        def _measure(self):
            return pairing.Pairing._measure(self)

    built = Cautious(NUM_IMAGES, window=1, topk=2)
    done = threading.Thread(target=built.statistics, daemon=True)
    done.start()
    done.join(20)
    assert not done.is_alive()
    assert built.statistics() == {"partner_is_self": 1.0}
