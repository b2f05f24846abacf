"""Adaptive similarity bootstrapping."""

import numpy as np

from keras_adasim.pairing.candidates import effective_number, own_id_first, softmax
from keras_adasim.pairing.draws import choose, uniform
from keras_adasim.pairing.drawing_ahead import DrawingAhead
from keras_adasim.pairing.mapped_window import MappedWindow
from keras_adasim.pairing.pairing import Pairing
from keras_adasim.pairing.record_window import RecordWindow
from keras_adasim.pairing.registry import register
from keras_adasim.pairing.validation import check_integers
from keras_adasim.pairing.vote import vote_of
from keras_adasim.validation import check_integer, check_number


@register("adasim")
class AdaptiveWindow(Pairing):
    """Pairs an image with a neighbor that a window of epochs agrees on, once it can be trusted.

    For every image the similarities of each neighbor are added up over the last W epochs and
    divided by W. If the strongest of them is the image itself, the latent space is judged good
    enough around it: the gate is open, and the partner is drawn from the softmax over the k
    strongest. Otherwise, and before W epochs have been pushed, an image is paired with itself.

    Ties go to the smaller id. A neighbor missing from an epoch adds nothing for it. When images
    come or go, the gate of a new one stays closed until it has W records of its own.

    Args:
        num_images: Number of images N.
        window: Number of epochs W that vote.
        topk: Number of neighbors k in a record, and of candidates.
        temperature: Temperature of the softmax. 0 pairs every image with itself.
        seed: Seed of the draws.
        keys: Names of the images, kept with the state, or None; see `Pairing`.
        directory: Folder for the records of a window that memory is too small for, which are files
            there, or None. Partners are then drawn in the background, image after image.

    Reference:
        - [AdaSim](https://github.com/tileb1/AdaSim), `DatasetFolderAdaSim.__getitem__`; the tie
          rule is ours.

    Example:
        ```python
        pairing = ka.pairing.AdaptiveWindow(num_images=4, window=2, topk=2, temperature=0.1)
        ids = np.array([[0, 1], [1, 0], [2, 3], [2, 3]])  # The last image isn't its own neighbor.
        for epoch in range(2):
            pairing.push(ids, np.array([[0.9, 0.8]] * 4))
        ids, probabilities, gate = pairing.distribution(np.arange(4))
        print(gate, pairing.partners(np.arange(4)))  # The gate of the last image is closed.
        ```
    """

    needs_neighbors = True
    _record_arrays = ("records_high", "records_low")

    def __init__(self, num_images, window=50, topk=10, temperature=1e-3, seed=0, keys=None, directory=None):
        self._ahead = None
        super().__init__(check_integer("num_images", num_images), keys)
        self.window = check_integer("window", window)
        self.topk = check_integer("topk", topk)
        self.seed = check_integer("seed", seed, minimum=0)
        self.temperature = check_number("temperature", temperature, minimum=0)
        sizes = self.num_images, self.window, self.topk
        if directory is None:
            self._window = RecordWindow(*sizes)
        else:
            self._window = MappedWindow(*sizes, directory)

    @property
    def directory(self):
        """Folder of the records, or None if they are in memory."""
        return getattr(self._window, "directory", None)

    @staticmethod
    def memory_bytes(num_images, window=50, topk=10):
        """Returns the bytes that a full window takes in every process."""
        return RecordWindow.memory_bytes(num_images, window, topk)

    def distribution(self, indices):
        """Returns the distributions that partners are drawn from.

        Args:
            indices: (n,) int array of image ids.

        Returns:
            Tuple of the candidates' ids, (n, k) int64, by falling similarity; their
            probabilities, (n, k) float64, each row summing to 1; and whether the gate is open,
            (n,) bool. With a closed gate the image itself comes first with 1, then the other
            candidates with 0. Places without a candidate hold the image itself with 0.
        """
        indices = check_integers("indices", indices, (None,), self.num_images)
        with self._lock:
            return self._distribution(indices)

    def _distribution(self, indices):
        ids, sums, found = vote_of(self._window, indices, min(self._pushes, self.window))
        # Of a full window the next slot is the oldest.
        is_full = self._window.is_recorded(indices, self._pushes % self.window)
        is_full &= self._pushes >= self.window
        is_open = (ids[:, 0] == indices) & found[:, 0] & is_full
        similarities = sums / (self._window.scale * self.window)
        probabilities = softmax(similarities, found, self.temperature)
        ids = np.where(found, ids, indices[:, None])
        closed = np.flatnonzero(~is_open)
        ids[closed] = own_id_first(ids[closed], indices[closed])
        probabilities[closed] = np.arange(self.topk) == 0
        return ids, probabilities, is_open

    def records(self, indices):
        """Returns what the window holds, for inspection.

        Args:
            indices: (n,) int array of image ids.

        Returns:
            Tuple of (n, w, k) arrays, oldest epoch first, where w is the smaller of W and the
            number of pushes: int64 ids and float64 similarities, -1 and 0 where there is none.
        """
        indices = check_integers("indices", indices, (None,), self.num_images)
        with self._lock:
            words = self._window.read(indices, np.array(self.epochs_kept(), int) % self.window)
        return self._window.unpack(words)

    def epochs_kept(self):
        """Numbers of the last W pushes, a range."""
        return range(max(self._pushes - self.window, 0), self._pushes)

    def epoch_records(self, epoch):
        """Returns what one of `epochs_kept` recorded: (N, k) packed records, never changed."""
        with self._lock:
            return self._window.get_slot(epoch % self.window)

    def follow_epoch(self, records, previous):
        """Turns `epoch_records` of other images into those of these; see `follow`."""
        return self._window.follow_slot(records, previous)

    def _restore_epoch(self, epoch, records):
        self._window.set_slot(epoch % self.window, records)

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {
            **super().get_config(),
            "window": self.window,
            "topk": self.topk,
            "temperature": self.temperature,
            "seed": self.seed,
        }

    def _record(self, ids, similarities):
        before = (self._pushes - 1) % self.window if self._pushes else None
        self._window.write(self._pushes % self.window, ids, similarities, before)

    def _forget(self):
        super()._forget()
        if self._ahead is not None:
            self._ahead.stop()
        is_mapped = isinstance(getattr(self, "_window", None), MappedWindow)
        if is_mapped and self._pushes >= self.window:
            self._ahead = DrawingAhead(self._drawn, self.num_images, self._chunk)

    def _draw(self, indices):
        if self._ahead is None:
            return self._drawn(indices)
        partners = self._ahead.partners[indices]
        if len(missing := np.flatnonzero(partners < 0)):
            partners[missing] = self._drawn(indices[missing])
        return partners

    def _drawn(self, indices):
        return self._draw_and_weigh(indices)[0]

    def _draw_and_weigh(self, indices):
        """Partners, and the effective number of candidates of each image with an open gate."""
        if self._pushes < self.window:
            return indices, np.zeros(0)
        ids, probabilities, is_open = self._distribution(indices)
        partners = choose(ids, probabilities, uniform(self.seed, self._pushes, indices))
        return partners, effective_number(probabilities[is_open])

    def _measure(self):
        partners, candidates = self._of_sample(self._draw_and_weigh)
        statistics = {
            "gate_open": len(candidates) / len(partners),
            **self._statistics_of(partners),
        }
        if len(candidates):
            statistics["effective_candidates"] = float(candidates.mean())
        return statistics

    def get_state(self, records=True):
        """Returns what decides the coming partners; of a window on disk maps of its files."""
        return super().get_state(records) | (self._window.slots() if records else {})

    def set_state(self, state, records=None):
        """Restores what `get_state` returned, whether that window was on disk or not."""
        state = dict(state)
        slots = self._window.take_slots(state)
        super().set_state(state, records or slots)

    def shapes(self):
        """Dict of the names of the state's arrays to their shapes, wherever they are."""
        return dict.fromkeys(self._record_arrays, [self.num_images, self.window, self.topk])

    def _arrays(self):
        return self._window.arrays()

    def _follow(self, arrays, previous):
        names = self._record_arrays
        if not arrays:  # They come by `follow_epoch`.
            return {}
        followed = self._window.follow(*(arrays[name] for name in names), previous)
        return dict(zip(names, followed, strict=True))
