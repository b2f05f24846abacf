"""How far a pass over many images has come, in a terminal or a log file."""

import sys
import time


class Counting:
    """Prints a count, the rate and the time left, while something goes on.

    In a terminal one line is rewritten in place; in a file or pipe a line is added every
    `interval` seconds. What ends within the first interval prints its last line alone.

    Args:
        what: What is done, for the beginning of the line.
        total: Number at the end.
        unit: What is counted.
        interval: Seconds between two lines of a file.
    """

    def __init__(self, what, total, unit="images", interval=10.0):
        self.what, self.total, self.unit = what, total, unit
        self.interval = interval
        self._done = 0
        self._begin = self._shown = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error is None and self._done:
            rate = self._done / max(time.monotonic() - self._begin, 1e-9)
            self._print(f"{self.what}: {self._done} {self.unit}, {_two_digits(rate)} a second\n")

    def add(self, number):
        """Says that so many more are done."""
        now = time.monotonic()
        if not self._done:
            self._first, self._since = number, now
        self._done += number
        terminal = sys.stdout.isatty()
        waited = now - self._shown >= (0.5 if terminal else self.interval)
        if waited and self._done < self.total:
            self._shown = now
            line = f"{self.what}: {self._done}/{self.total} {self.unit}{self._pace(now)}"
            self._print(line + "\n" * (not terminal))

    def _pace(self, now):
        """Rate and time left; the first, for which TensorFlow compiles, tell nothing of them."""
        if self._done == self._first:
            return ""
        rate = (self._done - self._first) / max(now - self._since, 1e-9)
        left = (self.total - self._done) / rate
        return f", {_two_digits(rate)} a second, left {left // 60:.0f}:{left % 60:02.0f}"

    def _print(self, text):
        begin, end = ("\r", "\x1b[K") if sys.stdout.isatty() else ("", "")
        line, newline = (text[:-1], "\n") if text.endswith("\n") else (text, "")
        print(f"{begin}{line}{end}{newline}", end="", flush=True)


def _two_digits(rate):
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
