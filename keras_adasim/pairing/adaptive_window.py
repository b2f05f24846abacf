"""Adaptive similarity bootstrapping."""

import numpy as np

from keras_adasim.pairing.candidates import effective_number, own_id_first
from keras_adasim.pairing.draws import uniform
from keras_adasim.pairing.pairing import Pairing
from keras_adasim.pairing.record_window import RecordWindow
from keras_adasim.pairing.registry import register
from keras_adasim.pairing.validation import check_integers
from keras_adasim.pairing.vote import vote
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

    # Images whose records are sorted together: a chunk's arrays stay in the processor's cache,
    # and a request for all images does not need memory for all records.
    _vote_chunk = 256

    def __init__(self, num_images, window=50, topk=10, temperature=1e-3, seed=0, keys=None):
        super().__init__(check_integer("num_images", num_images), keys)
        self.window = check_integer("window", window)
        self.topk = check_integer("topk", topk)
        self.seed = check_integer("seed", seed, minimum=0)
        self.temperature = check_number("temperature", temperature, minimum=0)
        self._window = RecordWindow(self.num_images, self.window, self.topk)

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
            ids, sums, found = self._vote(indices)
            # Of a full window the next slot is the oldest.
            is_full = self._window.is_recorded(indices, self._pushes % self.window)
            is_full &= self._pushes >= self.window
        is_open = (ids[:, 0] == indices) & found[:, 0] & is_full
        probabilities = self._softmax(sums / (self._window.scale * self.window), found)
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
        """Returns what one of `epochs_kept` recorded: (N, k) packed records."""
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

    def _vote(self, indices):
        shape = (len(indices), self.topk)
        ids, sums, found = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape, bool)
        filled = min(self._pushes, self.window)
        bits = self._window.fraction_bits
        for start in range(0, len(indices) if filled else 0, self._vote_chunk):
            rows = slice(start, start + self._vote_chunk)
            if filled == self.window:
                words = self._window.read_full(indices[rows])
            else:
                words = self._window.read(indices[rows], slice(filled))
                words = words.reshape(len(words), -1)
            ids[rows], sums[rows], found[rows] = vote(words, bits, self.topk)
        return ids, sums, found

    def _softmax(self, similarities, found):
        if self.temperature == 0:
            return np.repeat([np.arange(self.topk) == 0], len(found), axis=0).astype(float)
        # The first place holds the largest; -inf leaves nothing to places without a candidate.
        logits = (similarities - similarities[:, :1]) / self.temperature
        weights = np.exp(np.where(found, logits, -np.inf))
        return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)

    def _draw(self, indices):
        return self._draw_and_weigh(indices)[0]

    def _draw_and_weigh(self, indices):
        """Partners, and the effective number of candidates of each image with an open gate."""
        if self._pushes < self.window:
            return indices, np.zeros(0)
        ids, probabilities, is_open = self.distribution(indices)
        edges = probabilities.cumsum(axis=1)
        edges /= edges[:, -1:]  # to exactly 1, which no draw reaches
        draws = uniform(self.seed, self._pushes, indices)
        place = np.count_nonzero(draws[:, None] >= edges, axis=1)
        return ids[np.arange(len(ids)), place], effective_number(probabilities[is_open])

    def _measure(self):
        partners, candidates = zip(*map(self._draw_and_weigh, self._chunks()), strict=True)
        self._table, candidates = np.concatenate(partners), np.concatenate(candidates)
        statistics = {
            "gate_open": len(candidates) / self.num_images,
            "partner_is_self": self._share_of_self(),
        }
        if len(candidates):
            statistics["effective_candidates"] = float(candidates.mean())
        return statistics

    def _arrays(self):
        return {"records_high": self._window.high, "records_low": self._window.low}

    def _follow(self, arrays, previous):
        names = self._record_arrays
        if not arrays:  # They come by `follow_epoch`.
            return {}
        followed = self._window.follow(*(arrays[name] for name in names), previous)
        return dict(zip(names, followed, strict=True))
