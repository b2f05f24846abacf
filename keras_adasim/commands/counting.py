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
            self._print(f"{self.what}: {self._done} {self.unit}, {self._rate():.0f} a second\n")

    def add(self, number):
        """Says that so many more are done."""
        self._done += number
        now = time.monotonic()
        terminal = sys.stdout.isatty()
        waited = now - self._shown >= (0.5 if terminal else self.interval)
        if waited and self._done < self.total:
            self._shown = now
            left = (self.total - self._done) / self._rate()
            line = (
                f"{self.what}: {self._done}/{self.total} {self.unit}, {self._rate():.0f} a second"
            )
            self._print(f"{line}, left {left // 60:.0f}:{left % 60:02.0f}" + "\n" * (not terminal))

    def _rate(self):
        return self._done / max(time.monotonic() - self._begin, 1e-9)

    def _print(self, text):
        begin, end = ("\r", "\x1b[K") if sys.stdout.isatty() else ("", "")
        line, newline = (text[:-1], "\n") if text.endswith("\n") else (text, "")
        print(f"{begin}{line}{end}{newline}", end="", flush=True)
