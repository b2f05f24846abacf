"""Random draws that are a pure function of seed, step, view and place in the global batch."""

import contextlib

import numpy as np
import tensorflow as tf

from keras_adasim.augment.keras_cv_layers import VectorizedBaseImageAugmentationLayer
from keras_adasim.validation import check_integer

# Two raised to this many bits is the number of different values of a uniform draw.
_BITS = 24


class KeyedGenerator:
    """Stands in for the `tf.random.Generator` of KerasCV's vectorized layers, without a state.

    Every call of `uniform` or `normal` is one more draw of the pair (seed, stream) at `step`. A
    draw with one row per image is made for the global batch, of which this replica takes its
    rows, so that two replicas with half the batch each see what one device sees with the whole.
    Nothing has to be saved for a run to resume with the same draws.

    Args:
        seed: Seed of the run, a non-negative integer.
        stream: What the draws are for, a non-negative integer: the number of the view, say.
        step: Step of the run, an integer or an int64 scalar tensor.
        rows: Number of images of this replica, an integer or an int32 scalar tensor.
        replica_id: Number of this replica, an integer or an int32 scalar tensor.
        num_replicas: Number of replicas, which share the global batch evenly.
        copies: Number of blocks of `rows` images that the images are: several crops of each image,
            crop after crop.

    Example:
        ```python
        first, again, other = (
            ka.augment.KeyedGenerator(seed=0, stream=1, step=step, rows=4).uniform((4,))
            for step in (5, 5, 6)
        )
        print(np.array_equal(first, again), np.array_equal(first, other))  # True False
        ```
    """

    def __init__(self, seed, stream, step, rows, replica_id=0, num_replicas=1, copies=1):
        self._entropy = (
            check_integer("seed", seed, minimum=0),
            check_integer("stream", stream, minimum=0),
        )
        self._step = tf.cast(step, tf.int64)
        self._rows = rows
        self._replica_id = replica_id
        self._num_replicas = check_integer("num_replicas", num_replicas)
        self._copies = check_integer("copies", copies)
        self._draws = 0

    def uniform(self, shape, minval=0, maxval=None, dtype=tf.float32, name=None):
        """Draws from [minval, maxval), as `tf.random.Generator.uniform` does.

        Args:
            shape: Shape of the draws. Unless the first entry is the number of images, all replicas
                draw the same.
            minval: Number or tensor, the lower end.
            maxval: Number or tensor, the upper end, excluded; 1 when left out.
            dtype: A float dtype, or int32 or int64 (with numbers for both ends).
            name: Ignored.

        Returns:
            A tensor of `shape` and `dtype`.
        """
        del name
        dtype = tf.as_dtype(dtype)
        if dtype.is_integer:
            return self._integers(shape, minval, maxval, dtype)
        # XLA and TensorFlow agree on Philox's integers and not on the floats they make of them.
        unit = tf.cast(self._integers(shape, 0, 2**_BITS, tf.int32), dtype) * 2.0**-_BITS
        minval = tf.cast(minval, dtype)
        return minval + unit * (tf.cast(1.0 if maxval is None else maxval, dtype) - minval)

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=tf.float32, name=None):
        """Draws from a normal distribution, as `tf.random.Generator.normal` does."""
        del name
        middle_of_step = 2.0 ** -(_BITS + 1)
        unit = self.uniform(shape) * (1.0 - 2.0 * middle_of_step) + middle_of_step
        return tf.cast(mean + stddev * tf.math.ndtri(unit), dtype)

    def _integers(self, shape, minval, maxval, dtype):
        rows = self._rows * self._copies
        if not self._has_rows(shape, rows):
            return self._sample(shape, minval, maxval, dtype)
        rest = list(shape[1:])
        drawn = [self._copies, self._rows * self._num_replicas, *rest]
        whole = self._sample(drawn, minval, maxval, dtype)
        start = self._replica_id * self._rows
        mine = tf.slice(whole, [0, start, *[0] * len(rest)], [-1, self._rows, *[-1] * len(rest)])
        return tf.reshape(mine, [rows, *rest])

    def _has_rows(self, shape, rows):
        if not tf.is_tensor(shape) and len(shape) == 0:
            return False
        first, rows = tf.get_static_value(shape[0]), tf.get_static_value(rows)
        return first is None or rows is None or int(first) == int(rows)

    def _sample(self, shape, minval, maxval, dtype):
        entropy = np.random.SeedSequence([*self._entropy, self._draws])
        self._draws += 1
        key = tf.constant(entropy.generate_state(1, np.uint64).view(np.int64)[0])
        return tf.random.stateless_uniform(
            shape, [key, self._step], minval, maxval, dtype, alg="philox"
        )


@contextlib.contextmanager
def drawing_from(layer, generator):
    """Lets a KerasCV layer draw from `generator` for as long as the context is open.

    KerasCV's vectorized layers draw through one attribute, which is exchanged here. What a layer
    draws otherwise stays its own affair: the per-image layers (`BaseImageAugmentationLayer`),
    the `FactorSampler` that some vectorized layers take their strength from, and Keras' own
    layers draw from their own generators, so their draws are neither equal over a different
    number of replicas nor repeated when a run resumes.
    """
    if not isinstance(layer, VectorizedBaseImageAugmentationLayer):
        yield
        return
    own = layer._random_generator
    layer._random_generator = generator
    try:
        yield
    finally:
        layer._random_generator = own
