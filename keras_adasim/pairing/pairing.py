"""The base class of all pairings."""

import concurrent.futures
import threading

import numpy as np

from keras_adasim.keys import Keys, as_keys
from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_integer


class Pairing:
    """Decides which image the second view of an image comes from.

    A pairing is asked for partners by the input pipeline, batch by batch, and given the neighbors
    that the bank recorded once per epoch. Between two pushes its answers do not change. All
    methods may be called from several threads at once.

    Subclasses implement `_draw`, which finds the partners, and, where they learn from the bank's
    records, `_record`.

    Args:
        num_images: Number of images of the data set, or None if the pairing serves any number.
        keys: Their names, a source's `keys`, which are kept with the state. With them a saved model
            can go on with other images: `SelfDistillation.follow`.

    Attributes:
        needs_neighbors: Whether `push` needs the records of a bank.

    Example:
        ```python
        class Shuffled(ka.pairing.Pairing):
            def _draw(self, indices):
                return np.random.default_rng(self.pushes).permutation(self.num_images)[indices]

        print(Shuffled(num_images=5).partners([0, 1, 2]))
        ```
    """

    needs_neighbors = False

    # Names of the arrays that hold the records of the epochs kept.
    _record_arrays = ()

    # Images that are looked at together when many are, and of how many statistics are made.
    _chunk = 16384
    most_sampled = 200_000

    def __init__(self, num_images=None, keys=None):
        self.num_images = None if num_images is None else check_integer("num_images", num_images)
        self.keys = None if keys is None else as_keys(keys, self.num_images)
        self._pushes = 0
        self._lock = threading.RLock()
        self._forget()

    @property
    def pushes(self):
        """Number of epochs pushed so far."""
        return self._pushes

    def push(self, ids=None, similarities=None):
        """Takes the records of a finished epoch and moves on to the next.

        Args:
            ids: (N, k) int array, the neighbors of every image as the bank recorded them. An image
                that was not visited keeps its previous record. May be left out for pairings that
                do not look at neighbors.
            similarities: (N, k) float array, their cosine similarities, falling.

        Raises:
            ValueError: If a pairing that looks at neighbors gets a wrong shape or dtype, an id that
                is not in [0, N), or a similarity that is not in [-1, 1]. Nothing changes then.
        """
        with self._lock:
            self._record(ids, similarities)
            self._pushes += 1
            self._forget()

    def partners(self, indices):
        """Returns the images that the second views come from.

        Args:
            indices: (n,) int array of image ids.

        Returns:
            (n,) int64 array of image ids. Equal for equal `indices` until the next push.

        Raises:
            ValueError: If `indices` is not a vector of integers in [0, N).
        """
        indices = check_integers("indices", indices, (None,), self.num_images)
        with self._lock:
            return np.array(self._draw(indices), np.int64)

    def partner_sample(self, num_images=None):
        """Returns the images that statistics are of, and their partners.

        These are all images, or a sample of 200,000 that stays the same.

        Args:
            num_images: Number of images, for pairings that serve any number.

        Returns:
            Tuple of two (n,) int64 arrays.
        """
        with self._lock:
            if self.num_images is None:
                images = _sample(num_images, self.most_sampled)
                return images, self.partners(images)
            self.statistics()
            return tuple(each.copy() for each in self._sampled)

    def statistics(self):
        """Measures the partners now in force, over the images of `partner_sample`.

        Returns:
            Dict of floats: `"partner_is_self"`, the share of images paired with themselves; for
            pairings that have a gate `"gate_open"`, the share of images where it is open; and
            `"effective_candidates"`, while there are such images, the exponential of the entropy
            of the distribution that their partners are drawn from, as a mean over them.
        """
        with self._lock:
            if self._summary is None:
                self._summary = self._measure()
            return dict(self._summary)

    def get_state(self, records=True):
        """Returns everything that decides the coming partners, as a dict of NumPy arrays.

        Args:
            records: Whether the records of `epochs_kept` are among them.
        """
        with self._lock:
            state = {"pushes": np.asarray(self._pushes, np.int64)}
            names = [name for name in self._arrays() if records or name not in self._record_arrays]
            state |= {name: self._arrays()[name].copy() for name in names}
            return state | ({} if self.keys is None else self.keys.to_arrays("keys_"))

    def set_state(self, state, records=None):
        """Restores what `get_state` returned.

        Args:
            state: Dict of arrays.
            records: Function that returns what `epoch_records` did, for a state without records.

        Raises:
            ValueError: If a name, shape or dtype is not that of this pairing, or the keys are
                others.
        """
        state = dict(state)
        keys = self._checked_keys(state)
        expected = {"pushes": np.asarray(0, np.int64)} | self._arrays()
        for name in self._record_arrays if records else ():
            expected.pop(name, None)
        if set(state) != set(expected):
            raise ValueError(
                f"Expected `state` with the entries {sorted(expected)}, as "
                f"{type(self).__name__} saves them. Received: {sorted(state)}"
            )
        arrays = {name: np.asarray(value) for name, value in state.items()}
        for name, array in expected.items():
            if (arrays[name].shape, arrays[name].dtype) != (array.shape, array.dtype):
                raise ValueError(
                    f"Expected `state[{name!r}]` of shape {array.shape} and dtype {array.dtype}. "
                    f"Received: shape {arrays[name].shape}, dtype {arrays[name].dtype}. Build "
                    "the pairing with the arguments of the run that saved it."
                )
        pushes = check_integer("state['pushes']", int(arrays.pop("pushes")), minimum=0)
        with self._lock:
            self._restore(arrays)
            self._pushes, self.keys = pushes, keys
            for epoch in self.epochs_kept() if records else ():
                self._restore_epoch(epoch, records(epoch))
            self._forget()

    def follow(self, state, previous):
        """Turns the state of a pairing of other images into one for these.

        What was learned of an image goes with it, and what names an image that is gone is left
        out.

        Args:
            state: Dict of arrays that `get_state` of that pairing returned; it differs from this
                one in `num_images` alone.
            previous: (N,) int64 array. Of each image its index there, or -1 if it is a new one.

        Returns:
            Dict of arrays for `set_state`.
        """
        previous = np.asarray(previous)
        if self.num_images is not None and previous.shape != (self.num_images,):
            raise ValueError(
                f"Expected `previous` of shape ({self.num_images},), one index per image. "
                f"Received: previous.shape={previous.shape}"
            )
        arrays = {name: value for name, value in state.items() if not name.startswith("keys_")}
        pushes = arrays.pop("pushes")
        return {"pushes": pushes, **self._follow(arrays, previous)}

    def shapes(self):
        """Dict of the names of the state's arrays to their shapes."""
        return {name: list(array.shape) for name, array in self._arrays().items()}

    def epochs_kept(self):
        """Numbers of the pushes whose records decide coming partners: a range."""
        return range(0)

    def epoch_records(self, epoch):
        """Returns what one of `epochs_kept` recorded, an array that never changes again."""
        raise NotImplementedError(f"{type(self).__name__} keeps no records.")

    def follow_epoch(self, records, previous):
        """Turns what `epoch_records` returned of other images into records of these.

        Args:
            records: The records of M images.
            previous: As for `follow`.
        """
        raise NotImplementedError(f"{type(self).__name__} keeps no records.")

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {"num_images": self.num_images}

    @classmethod
    def from_config(cls, config):
        """Builds a pairing from what `get_config` returned. Its state travels separately."""
        return cls(**config)

    def _forget(self):
        # Statistics, and the images and partners that they are of: true until a push.
        self._summary = self._sampled = None

    def _record(self, ids, similarities):
        """Learns from the records of an epoch; by default nothing."""

    def _draw(self, indices):
        """Returns the partners of valid `indices`, called under the lock."""
        raise NotImplementedError(f"{type(self).__name__} must implement `_draw(indices)`.")

    def _arrays(self):
        """Returns the arrays that make up the state, beside the number of pushes."""
        return {}

    def _checked_keys(self, state):
        """Takes the keys out of a state: those of this pairing, if it has some."""
        found = {name: state.pop(name) for name in list(state) if name.startswith("keys_")}
        if not found:
            return self.keys
        keys = as_keys(Keys.from_arrays(found, "keys_"), self.num_images)
        if self.keys not in (None, keys):
            raise ValueError(
                f"Expected `state` of the images whose keys {type(self).__name__} was given. "
                f"Received: other keys, {keys[0]!r} and so on. Load it without, and let "
                "`SelfDistillation.follow` bring it to the images there are now."
            )
        return keys

    def _follow(self, arrays, previous):
        """Returns the arrays of a state of other images as these images have them."""
        if arrays:
            raise NotImplementedError(
                f"{type(self).__name__} must implement `_follow(arrays, previous)` to go on with "
                "other images."
            )
        return {}

    def _restore(self, arrays):
        for name, value in arrays.items():
            self._arrays()[name][...] = value

    def _restore_epoch(self, epoch, records):
        """Takes back what `epoch_records` returned."""

    def _measure(self):
        if self.num_images is None:
            return {"partner_is_self": 1.0}
        (partners,) = self._of_sample(lambda indices: (self._draw(indices),))
        return self._statistics_of(partners)

    def _statistics_of(self, partners):
        """Keeps the partners of the sample."""
        self._sampled = _sample(self.num_images, self.most_sampled), partners
        return {"partner_is_self": float(np.mean(np.equal(*self._sampled)))}

    def _of_sample(self, function, threads=1):
        """What a function gives for the images of the sample, chunk by chunk.

        Args:
            function: Function from (n,) image ids to a tuple of arrays.
            threads: Number of threads that call it. With more than this one it must not take the
                lock, which this one holds meanwhile.

        Returns:
            List of the arrays, those of all chunks in one.
        """
        sample = _sample(self.num_images, self.most_sampled)
        chunks = [sample[i : i + self._chunk] for i in range(0, len(sample), self._chunk)]
        if threads == 1:
            found = list(map(function, chunks))
        else:
            with concurrent.futures.ThreadPoolExecutor(threads) as pool:
                found = list(pool.map(function, chunks))
        return [np.concatenate(arrays) for arrays in zip(*found, strict=True)]


def _sample(num_images, most):
    """Indices of all images, or of so many, drawn once and for all: (n,) int64 array, rising."""
    if num_images <= most:
        return np.arange(num_images)
    return np.sort(np.random.default_rng(0).choice(num_images, most, replace=False))
