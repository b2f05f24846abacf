"""Linear classifiers on frozen features, a sweep of them trained side by side."""

import numpy as np
import tensorflow as tf

from keras_adasim.optimizers import WarmupCosine
from keras_adasim.validation import (
    check_axes,
    check_each,
    check_integer,
    check_labels,
    check_number,
    check_numbers,
    check_switch,
)

# For batches of 256 images; DINO's own is the second.
LEARNING_RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)


class LinearProbe:
    """Linear classifiers of frozen features, one for every learning rate and part of them.

    All of them learn from the same batches, which are looked at once: the classifiers of a part are
    one stacked tensor, and one product gives the logits of all. They are trained by SGD with
    momentum and without weight decay, as DINO's, each with its own learning rate, which falls to 0
    along a cosine. None depends on another: alone, each would come to the same.

    Which of them is best, a validation set decides, not the test set.

    Args:
        feature_dim: Size of the features, F.
        num_classes: Number of classes, C.
        steps: Number of steps of the training.
        learning_rates: L positive numbers.
        parts: Dict of names to `(start, stop)`, the part of the features that classifiers of that
            name see; by default one that sees all.
        momentum: Decay of the velocity, in [0, 1).
        seed: Non-negative integer, of the initial weights; the same for all learning rates.

    Attributes:
        kernels: Dict of the parts' names to variables (stop - start, L, C).
        biases: Dict of the names to variables (L, C).
        iterations: Variable, the number of steps made.

    Raises:
        ValueError: If an argument is out of range, or a part lies outside of the features.

    Reference:
        - `eval_linear.py` of the official DINO code; the sweep is DINOv2's.

    Example:
        ```python
        rng, labels = np.random.default_rng(0), np.arange(60) % 3
        features = rng.normal(size=(60, 8)).astype("float32") + np.eye(8, dtype="float32")[labels]
        probe = ka.evaluation.LinearProbe(8, num_classes=3, steps=20, learning_rates=(0.1, 1.0))
        for features_of_batch, labels_of_batch in 20 * [(features[:40], labels[:40])]:
            probe.train_step(features_of_batch, labels_of_batch)
        probe.accuracies([(features[40:], labels[40:])])["features"]  # (2, 2): top-1 and top-5
        ```
    """

    def __init__(
        self,
        feature_dim,
        num_classes,
        steps,
        learning_rates=LEARNING_RATES,
        parts=None,
        momentum=0.9,
        seed=0,
    ):
        self.feature_dim = check_integer("feature_dim", feature_dim)
        self.num_classes = check_integer("num_classes", num_classes, minimum=2)
        self.steps = check_integer("steps", steps)
        rates = check_each("learning_rates", learning_rates, check_number, above=0)
        self.learning_rates = tuple(rates)
        self.parts = _checked_parts(parts, feature_dim)
        self.momentum = check_number("momentum", momentum, minimum=0, below=1)
        self._schedule = WarmupCosine(1.0, 0.0, steps)
        self.seed = check_integer("seed", seed, minimum=0)
        initial = self._initial()
        self.kernels = {
            name: tf.Variable(initial[start:stop], name="kernel")
            for name, (start, stop) in self.parts.items()
        }
        self.biases = {
            name: tf.Variable(tf.zeros(initial.shape[1:]), name="bias") for name in self.parts
        }
        self._velocities = [tf.Variable(tf.zeros_like(v)) for v in self._variables()]
        self.iterations = tf.Variable(0, dtype=tf.int64)

    def _initial(self):
        """Initial weights (F, L, C): one classifier for all rates, the same in every part."""
        rng = np.random.default_rng(self.seed)
        initial = rng.normal(0, 0.01, (self.feature_dim, 1, self.num_classes)).astype(np.float32)
        return np.repeat(initial, len(self.learning_rates), axis=1)

    def reset(self):
        """Puts all classifiers back to where they began."""
        initial = self._initial()
        for name, (start, stop) in self.parts.items():
            self.kernels[name].assign(initial[start:stop])
        for variable in (*self.biases.values(), *self._velocities, self.iterations):
            variable.assign(tf.zeros_like(variable))

    def _variables(self):
        return [*self.kernels.values(), *self.biases.values()]

    def logits(self, features):
        """Logits of all classifiers.

        Args:
            features: Float tensor (B, F).

        Returns:
            Dict of the parts' names to float32 tensors (B, L, C).
        """
        return {
            name: tf.tensordot(features[:, start:stop], self.kernels[name], 1) + self.biases[name]
            for name, (start, stop) in self.parts.items()
        }

    def train_step(self, features, labels):
        """Trains all classifiers by one step.

        Args:
            features: Floats (B, F).
            labels: Integers (B,) from 0 to C - 1.

        Returns:
            Dict of the parts' names to the losses, a tensor (L,).

        Raises:
            ValueError: If the shapes are others.
        """
        features, labels = self._checked_batch(features, labels)
        return self._train_step(features, labels)

    @tf.function(reduce_retracing=True, autograph=False)
    def _train_step(self, features, labels):
        variables = self._variables()
        with tf.GradientTape() as tape:
            losses = {
                name: tf.reduce_mean(_cross_entropy(labels, logits), axis=0)
                for name, logits in self.logits(features).items()
            }
            total = tf.add_n([tf.reduce_sum(loss) for loss in losses.values()])
        rates = tf.constant(self.learning_rates) * tf.cast(
            self._schedule(self.iterations), tf.float32
        )
        gradients = tape.gradient(total, variables)
        for variable, velocity, gradient in zip(
            variables, self._velocities, gradients, strict=True
        ):
            velocity.assign(self.momentum * velocity + gradient)
            variable.assign_sub(rates[:, None] * velocity)
        self.iterations.assign_add(1)
        return losses

    def accuracies(self, batches):
        """Counts how often the classifiers are right.

        Args:
            batches: Iterable of pairs of features (B, F) and labels (B,); a label that is no class
                is never met.

        Returns:
            Dict of the parts' names to arrays (L, 2): top-1 and top-5 of each learning rate, in
            [0, 1]. A classifier that has diverged is never right.

        Raises:
            ValueError: If there is no image, or the shapes are others.
        """
        counts, number = {name: 0 for name in self.parts}, 0
        for features, labels in batches:
            features, labels = self._checked_batch(features, labels)
            number += len(labels)
            for name, count in self._count(features, labels).items():
                counts[name] = counts[name] + count.numpy()
        if not number:
            raise ValueError("Expected `batches` of at least one image. Received: batches of none")
        return {name: count / number for name, count in counts.items()}

    @tf.function(reduce_retracing=True, autograph=False)
    def _count(self, features, labels):
        return {name: _right(labels, logits) for name, logits in self.logits(features).items()}

    def best(self, accuracies):
        """Chooses a classifier: the largest top-1, the first one of equals.

        Args:
            accuracies: What `accuracies` returned for the validation set.

        Returns:
            Tuple of the part's name and the place of the learning rate.
        """
        places = {name: int(np.argmax(each[:, 0])) for name, each in accuracies.items()}
        name = max(places, key=lambda name: accuracies[name][places[name], 0])
        return name, places[name]

    def _checked_batch(self, features, labels):
        if not tf.is_tensor(features):
            features = np.asarray(features)
        check_axes("features", features, "B", self.feature_dim)
        if not tf.is_tensor(labels):
            labels = check_labels("labels", labels, len(features))
        return tf.cast(features, tf.float32), tf.cast(labels, tf.int64)


def batches_of(features, labels, batch_size=256, epochs=None, seed=0):
    """Batches of features that are in memory.

    Args:
        features: Array (N, F).
        labels: Labels (N,).
        batch_size: Images of a batch, B; the last may be smaller.
        epochs: How often to go through all, in another order each time; by default once, in order.
        seed: Non-negative integer, of the orders.

    Yields:
        Pairs of features (B, F) and labels (B,).

    Raises:
        ValueError: If a number is out of range, or there isn't a label for every image.

    Example:
        ```python
        batches = ka.evaluation.linear.batches_of(np.ones((5, 2)), np.arange(5), batch_size=2)
        [len(labels) for features, labels in batches]  # [2, 2, 1]
        ```
    """
    features = check_numbers("features", features)
    if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
        raise ValueError(
            "Expected `features` to be finite numbers of shape (N, F), of at least one image. "
            f"Received: features of shape {features.shape}"
        )
    check_integer("batch_size", batch_size)
    labels = check_labels("labels", labels, len(features))
    check_integer("seed", seed, minimum=0)
    for epoch in range(1 if epochs is None else check_integer("epochs", epochs)):
        order = np.arange(len(labels))
        if epochs is not None:
            order = np.random.default_rng([seed, epoch]).permutation(order)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield features[rows], labels[rows]


def parts_of_blocks(token_dim, last_blocks, blocks=(1, 4), patches=False):
    """Parts of the class tokens of a Vision Transformer's last blocks, joined with patch tokens.

    The features are those of the last blocks, the last one's at the end, and behind them, where
    `patches` is set, the mean patch token.

    Args:
        token_dim: Size of a token, D.
        last_blocks: Number of blocks whose class tokens there are.
        blocks: How many of the last blocks to take; each is a part, as far as there are so many.
        patches: Whether there is a mean patch token: each part comes with it and without.

    Returns:
        Dict of names to `(start, stop)`, for `LinearProbe`.

    Raises:
        ValueError: If a number isn't positive, or there is no such block.

    Example:
        ```python
        ka.evaluation.linear.parts_of_blocks(64, last_blocks=4, blocks=(1, 4))
        # {"1 block": (192, 256), "4 blocks": (0, 256)}
        ```
    """
    check_integer("token_dim", token_dim)
    check_integer("last_blocks", last_blocks)
    check_switch("patches", patches)
    taken = check_each("blocks", blocks, check_integer)
    taken = sorted({n for n in taken if n <= last_blocks})
    if not taken:
        raise ValueError(
            f"Expected `blocks` with a number up to {last_blocks}, the blocks whose class tokens "
            f"there are. Received: blocks={tuple(blocks)}"
        )
    end, parts = last_blocks * token_dim, {}
    for n in taken:
        name = f"{n} block{'s' if n > 1 else ''}"
        parts[name] = end - n * token_dim, end
        if patches:
            parts[f"{name} + patches"] = end - n * token_dim, end + token_dim
    return parts


def _cross_entropy(labels, logits):
    """Cross-entropies (B, L) of labels (B,) and logits (B, L, C)."""
    labels = tf.repeat(labels[:, None], logits.shape[1], axis=1)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def _right(labels, logits):
    """How many of the labels are met by the first, and by one of the first five: (L, 2)."""
    classes = tf.range(logits.shape[-1], dtype=tf.int64)
    target = labels[:, None, None]
    own = tf.reduce_sum(tf.where(classes == target, logits, 0.0), axis=-1, keepdims=True)
    equal_before = (logits == own) & (classes < target)
    # Whatever isn't at most the label's own comes before it, NaN too.
    before = ~(logits <= own) | equal_before
    ranks = tf.reduce_sum(tf.cast(before, tf.int32), axis=-1)
    known = (labels >= 0) & (labels < logits.shape[-1])
    met = [tf.reduce_sum(tf.cast((ranks < k) & known[:, None], tf.int32), axis=0) for k in (1, 5)]
    return tf.stack(met, axis=1)


def _checked_parts(parts, feature_dim):
    if parts is None:
        return {"features": (0, feature_dim)}
    try:
        fits = all(0 <= start < stop <= feature_dim for start, stop in parts.values()) and parts
    except (AttributeError, TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            "Expected `parts` to be a dict of names to (start, stop) within the "
            f"{feature_dim} features. Received: parts={parts!r}"
        )
    return dict(parts)
