"""Signals and the clock end a run after a step, saved; what was ignored stays ignored."""

import signal
import threading
import types

import pytest

from keras_adasim.pretraining import stopping


class Run:
    """Stands in for a model and its backup."""

    def __init__(self):
        self.step_hooks, self.saved = [], 0
        self.distribute_strategy = None

    def save_within_epoch(self):
        self.saved += 1

    def everyone_stops(self, asked):
        return asked

    def step(self):
        for hook in self.step_hooks:
            hook()


@pytest.fixture(autouse=True)
def _handlers():
    """Those that start the tests in the background have them ignore SIGINT."""
    earlier = {number: signal.signal(number, lambda *_: None) for number in stopping.SIGNALS}
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_it_after_the_step_that_is_saved(name, status):
    run, handler = Run(), signal.getsignal(getattr(signal, name))
    with (  # noqa: PT012
        pytest.raises(stopping.Stopped, match=name) as stopped,
        stopping.stops_after_a_step(run, run),
    ):
        run.step()
        signal.raise_signal(getattr(signal, name))
        assert run.saved == 0
        run.step()
    assert (stopped.value.status, run.saved, run.step_hooks) == (status, 1, [])
    assert signal.getsignal(getattr(signal, name)) is handler


def test_a_second_interrupt_ends_it_at_once():
    run = Run()
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt) as stopped,
        stopping.stops_after_a_step(run, run),
    ):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert type(stopped.value) is KeyboardInterrupt
    assert run.saved == 0


def test_a_signal_after_the_last_step_ends_it_too():
    run = Run()
    with pytest.raises(stopping.Stopped, match="SIGTERM"), stopping.stops_after_a_step(run, run):
        signal.raise_signal(signal.SIGTERM)
    assert run.saved == 0  # The end of the epoch was.


def test_the_clock_ends_it(monkeypatch):
    run, clock = Run(), types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(stopping.time, "monotonic", lambda: clock.now)
    with (  # noqa: PT012
        pytest.raises(stopping.Stopped, match=r"0.5 hours") as stopped,
        stopping.stops_after_a_step(run, run, max_hours=0.5),
    ):
        clock.now += 1799
        run.step()
        clock.now += 1
        run.step()
    assert (stopped.value.status, run.saved) == (75, 1)


def test_in_a_thread_only_the_clock_is_heeded():
    run, found = Run(), []

    def train():
        with stopping.stops_after_a_step(run, run):
            found.append([signal.getsignal(number) for number in stopping.SIGNALS])

    expected = [signal.getsignal(number) for number in stopping.SIGNALS]
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [expected]


def test_signals_that_are_ignored_stay_so():
    """As under `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    seen = []
    with stopping.handled_by(lambda number, frame: seen.append(number)):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGTERM]
