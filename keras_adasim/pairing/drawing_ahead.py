"""Partners that are drawn in the background, image after image."""

import contextlib
import itertools
import os
import threading

import numpy as np


class DrawingAhead:
    """Draws the partners of all images in their order, by half of the cores.

    What isn't drawn yet when it is needed can be drawn by whoever needs it: draws don't depend on
    who makes them.

    Args:
        draw: Function from (n,) image ids to (n,) partners; several threads call it at once.
        num_images: Number of images N.
        chunk: Images that are drawn together.

    Attributes:
        partners: (N,) int64 array, -1 where nothing is drawn yet.
    """

    def __init__(self, draw, num_images, chunk):
        self.partners = np.full(num_images, -1)
        self._draw, self._starts, self._chunk = draw, itertools.count(0, chunk), chunk
        self._stopped, self._may_go = False, threading.Event()
        self._may_go.set()
        threads = range(max(1, (os.cpu_count() or 1) // 2))
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in threads]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Draws no more."""
        self._stopped = True

    @contextlib.contextmanager
    def paused(self):
        """Leaves all cores to what somebody waits for."""
        self._may_go.clear()
        try:
            yield
        finally:
            self._may_go.set()

    def wait(self):
        """Waits until all are drawn."""
        for thread in self._threads:
            thread.join()

    def _work(self):
        num_images = len(self.partners)
        for start in self._starts:
            self._may_go.wait()
            if self._stopped or start >= num_images:
                return
            rows = slice(start, min(start + self._chunk, num_images))
            self.partners[rows] = self._draw(np.arange(rows.start, rows.stop))
