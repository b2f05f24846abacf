"""Stochastic depth: a residual branch that is left out for some samples."""

import keras
import tensorflow as tf

from keras_adasim.validation import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class DropPath(keras.layers.Layer):
    """Leaves a residual branch out for a random part of the samples, in training only.

    Each sample's branch is zeroed as a whole with probability `rate`; the others are divided by
    `1 - rate`, so that the expected output equals the input. Under a distribution strategy the
    replicas draw differently, while the copies of the random state stay equal.

    Args:
        rate: Probability of leaving the branch out, in [0, 1).
        seed: Seed of the layer's own random state; None draws one.

    Attributes:
        rate: The same probability, read on every (traced) call, so a momentum teacher's can be set
            to 0 after cloning.

    Reference:
        "Deep Networks with Stochastic Depth", Huang et al., ECCV 2016.

    Example:
        ```python
        branch = np.ones((4, 2))
        drop_path = ka.layers.DropPath(rate=0.5, seed=0)
        print(drop_path(branch, training=True))  # Rows of twos and rows of zeros.
        ```
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = check_number("rate", rate, minimum=0, below=1)
        self.seed = None if seed is None else check_integer("seed", seed, minimum=0)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True

    def build(self, input_shape):
        """Creates nothing: the random state is there from the start."""
        self.built = True

    def call(self, inputs, training=False):
        """Drops samples of `inputs`, any shape (B, ...), when `training` is true."""
        if not training or self.rate == 0:
            return inputs
        keep = 1.0 - self.rate
        shape = (tf.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        kept = tf.random.stateless_uniform(shape, self._next_seed()) < keep
        return inputs * tf.cast(tf.where(kept, 1.0 / keep, 0.0), inputs.dtype)

    def _next_seed(self):
        seed = self.seed_generator.next()
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return seed
        # The state is the same on all replicas: their number sets their draws apart.
        number = tf.cast(replica.replica_id_in_sync_group, seed.dtype)
        return seed + tf.stack([number * 1_000_003, tf.zeros_like(number)])

    def save_own_variables(self, store):
        """Saves the random state, which Keras leaves out, so that a run can be resumed."""
        store["seed_state"] = self.seed_generator.state

    def load_own_variables(self, store):
        """Loads the random state."""
        self.seed_generator.state.assign(store["seed_state"])

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
