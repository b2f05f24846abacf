"""What ends a run early: signals, and the time allowed. It is saved first, within its epoch."""

import contextlib
import signal
import threading
import time

from keras_adasim.workers import told_by_all

SIGNALS = [each for each in signal.Signals if each.name in ("SIGINT", "SIGTERM", "SIGHUP")]
# The status of a run whose time was up: "try again", of sysexits.h.
TIME_IS_UP = 75


class Stopped(KeyboardInterrupt):
    """A run was asked to stop, and did so after the step that was running.

    Args:
        reason: What asked.
        status: The exit status that tells so.
    """

    def __init__(self, reason, status):
        super().__init__(reason)
        self.status = status


@contextlib.contextmanager
def stops_after_a_step(model, backup, max_hours=0.0):
    """Lets SIGINT, SIGTERM, SIGHUP and the clock end `fit` after the running step, which is saved.

    A second signal of a kind ends the process at once. One that was ignored before, as `nohup` has
    SIGHUP, is ignored still. Signals reach the main thread alone: elsewhere the clock is heeded.

    Args:
        model: A `SelfDistillation`.
        backup: The `Backup` of its run.
        max_hours: Hours from now; 0 for any number.

    Raises:
        Stopped: After the step, or after `fit` if that was ending.
    """
    asked, end = [], time.monotonic() + 3600 * max_hours

    def ask(number, frame):
        asked.append(number)
        is_interrupt = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
        again = "Ctrl-C once more" if is_interrupt else "the same signal"
        print(f"\nsaving and stopping after this step; {again} stops at once", flush=True)

    def stop_if_asked():
        if model.everyone_stops(bool(asked) or is_over()):
            backup.save_within_epoch()
            raise stopped()

    def is_over():
        return max_hours > 0 and time.monotonic() >= end

    def stopped():
        if asked:
            return Stopped(signal.Signals(asked[0]).name, 128 + asked[0])
        if is_over():
            return Stopped(f"{max_hours:g} hours are over", TIME_IS_UP)
        return Stopped("another worker was told to", 128 + signal.SIGTERM)

    model.step_hooks.append(stop_if_asked)
    with handled_by(ask):
        try:
            yield
        finally:
            model.step_hooks.remove(stop_if_asked)
    if any(told_by_all(model.distribute_strategy, bool(asked))):
        raise stopped()


@contextlib.contextmanager
def handled_by(handler):
    """Gives the signals to a handler, but for those that are ignored, and then back."""
    earlier = {}
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in SIGNALS}
        earlier = {n: old for n, old in found.items() if old not in (signal.SIG_IGN, None)}
    for number in earlier:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in earlier.items():
            signal.signal(number, old)
