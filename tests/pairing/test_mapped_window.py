import threading

import numpy as np
import pytest

from keras_adasim.pairing import AdaptiveWindow
from keras_adasim.pairing.drawing_ahead import DrawingAhead
from keras_adasim.pairing.mapped_window import MappedWindow
from keras_adasim.pairing.record_window import RecordWindow
from tests.pairing.test_adaptive_window import random_epochs

NUM_IMAGES, WINDOW, TOPK = 300, 3, 4


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(AdaptiveWindow, "_chunk", 64)
    monkeypatch.setattr(RecordWindow, "_chunk", 50)


def both(tmp_path, epochs=0, **arguments):
    """The same window in memory and in files, after some epochs."""
    pairings = [
        AdaptiveWindow(NUM_IMAGES, WINDOW, TOPK, 0.1, directory=directory, **arguments)
        for directory in (None, tmp_path / "window")
    ]
    for epoch in range(epochs):
        push(pairings, epoch)
    return pairings


def push(pairings, epoch):
    ids, similarities = random_epochs(NUM_IMAGES, 1, TOPK, 8, seed=epoch)
    for pairing in pairings:
        pairing.push(ids[:, 0], similarities[:, 0])


def assert_alike(in_memory, mapped):
    images = np.random.default_rng(0).permutation(NUM_IMAGES)
    for ours, theirs in zip(mapped.records(images), in_memory.records(images), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    found = zip(mapped.distribution(images), in_memory.distribution(images), strict=True)
    for ours, theirs in found:
        np.testing.assert_array_equal(ours, theirs)
    for _ in range(2):  # While they are being drawn, and then.
        np.testing.assert_array_equal(mapped.partners(images), in_memory.partners(images))
        if mapped._ahead is not None:
            mapped._ahead.wait()
    assert mapped.statistics() == in_memory.statistics()


def test_equals_a_window_in_memory_epoch_by_epoch(tmp_path):
    pairings = both(tmp_path)
    for epoch in range(2 * WINDOW):
        push(pairings, epoch)
        assert_alike(*pairings)
    kept = sorted((tmp_path / "window").iterdir())
    assert len(kept) == WINDOW
    shapes = {np.load(path).shape for path in kept}
    assert shapes == {(NUM_IMAGES, TOPK)}


def test_an_image_never_visited_keeps_its_gate_closed(tmp_path):
    pairings = both(tmp_path)
    ids = np.arange(NUM_IMAGES)[:, None] * np.ones((1, TOPK), int)
    similarities = np.where(np.arange(NUM_IMAGES)[:, None] < 100, 0.0, np.ones((1, TOPK)))
    for _ in range(WINDOW + 1):
        for pairing in pairings:
            pairing.push(ids, similarities)
    assert_alike(*pairings)


@pytest.mark.parametrize("source", [0, 1])
@pytest.mark.parametrize("target", [0, 1])
def test_a_state_goes_into_either(tmp_path, source, target):
    state = both(tmp_path / "before", WINDOW + 1)[source].get_state()
    pairings = both(tmp_path / "after")
    for pairing in {pairings[0], pairings[target]}:
        pairing.set_state(state)
    expected = both(tmp_path / "expected", WINDOW + 1)
    assert_alike(expected[0], pairings[target])
    push([expected[0], pairings[target]], WINDOW + 1)
    np.testing.assert_array_equal(*(each.partners([5, 3]) for each in (expected[0], pairing)))


def test_the_state_of_files_is_maps_that_stay_as_they_are(tmp_path):
    _, mapped = pairings = both(tmp_path, WINDOW)
    state = mapped.get_state()
    records = [value for name, value in state.items() if name.startswith("slot_")]
    assert len(records) == WINDOW
    assert all(isinstance(value, np.memmap) and not value.flags.writeable for value in records)
    kept = [value.copy() for value in records]
    for epoch in range(WINDOW + 1):
        push(pairings, epoch + 7)
    for value, before in zip(records, kept, strict=True):
        np.testing.assert_array_equal(value, before)
    assert sorted(mapped.get_state(records=False)) == ["pushes"]


def test_a_damaged_state_is_refused_by_the_name_of_the_slot(tmp_path):
    _, mapped = both(tmp_path, WINDOW)
    state = mapped.get_state()
    with pytest.raises(ValueError, match=r"state\['slot_0001'\]"):
        mapped.set_state({**state, "slot_0001": state["slot_0001"][:, 1:]})
    del state["slot_0002"]
    with pytest.raises(ValueError, match=r"state\['slot_0002'\]"):
        mapped.set_state(state)


def test_records_follow_their_images(tmp_path):
    pairings = both(tmp_path, WINDOW + 1)
    previous = np.random.default_rng(1).permutation(NUM_IMAGES)
    previous[::7] = -1
    followed = both(tmp_path / "followed")
    for before, after in zip(pairings, followed, strict=True):
        state = before.follow(before.get_state(records=False), previous)
        after.set_state(
            state,
            lambda epoch: before.follow_epoch(before.epoch_records(epoch), previous),  # noqa: B023
        )
    assert_alike(*followed)


def test_records_of_an_earlier_process_are_removed_once_there_are_new_ones(tmp_path):
    both(tmp_path, WINDOW)
    pairings = both(tmp_path)
    assert len(list((tmp_path / "window").iterdir())) == WINDOW
    push(pairings, 0)
    assert len(list((tmp_path / "window").iterdir())) == 1
    assert_alike(*pairings)


def test_a_file_on_the_same_disk_is_linked_and_not_another_of_its_name(tmp_path):
    window = MappedWindow(5, 2, 3, tmp_path / "window")
    window.write(0, np.zeros((5, 3), int), np.ones((5, 3)))
    np.save(tmp_path / "records.npy", window.get_slot(0))
    records = np.load(tmp_path / "records.npy", mmap_mode="r")
    window.set_slot(1, records)
    assert (tmp_path / "records.npy").stat().st_nlink == 2
    window.set_slot(0, records[::-1])
    np.testing.assert_array_equal(window.get_slot(0), records[::-1])
    assert (tmp_path / "records.npy").stat().st_nlink == 2


def test_a_full_disk_is_an_error_and_changes_nothing(tmp_path, monkeypatch):
    _, mapped = pairings = both(tmp_path, WINDOW)
    before = mapped.partners(np.arange(NUM_IMAGES))

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.ascontiguousarray", no_space)
    with pytest.raises(OSError, match="No space"):
        push([mapped], 9)
    monkeypatch.undo()
    assert mapped.pushes == WINDOW
    assert len(list((tmp_path / "window").iterdir())) == WINDOW
    np.testing.assert_array_equal(mapped.partners(np.arange(NUM_IMAGES)), before)
    push(pairings, 10)
    assert_alike(*pairings)


def test_what_is_not_drawn_yet_is_drawn_at_once(tmp_path):
    in_memory, mapped = both(tmp_path, WINDOW)
    waiting, go = threading.Event(), threading.Event()

    def slow(indices):
        waiting.set()
        go.wait()
        return mapped._drawn(indices)

    mapped._ahead.stop()
    mapped._ahead = DrawingAhead(slow, NUM_IMAGES, 64)
    waiting.wait()
    images = np.arange(NUM_IMAGES)
    np.testing.assert_array_equal(mapped.partners(images), in_memory.partners(images))
    assert (mapped._ahead.partners == -1).all()
    go.set()
    mapped._ahead.wait()
    np.testing.assert_array_equal(mapped._ahead.partners, in_memory.partners(images))


def test_partners_drawn_ahead_are_forgotten_with_their_state(tmp_path):
    _, mapped = both(tmp_path, WINDOW - 1)
    state = mapped.get_state()
    push([mapped], WINDOW)
    mapped._ahead.wait()
    mapped.set_state(state)
    np.testing.assert_array_equal(mapped.partners([3, 4]), [3, 4])


def test_an_older_drawing_stops():
    asked, go = [], threading.Event()

    def draw(indices):
        asked.extend(indices)
        go.wait()
        return indices

    ahead = DrawingAhead(draw, 1000, 10)
    ahead.stop()
    go.set()
    ahead.wait()
    assert len(asked) <= 10 * len(ahead._threads)
