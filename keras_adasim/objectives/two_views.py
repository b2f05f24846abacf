"""Methods that compare two views of an image: the views' embeddings, and how far they spread."""

import tensorflow as tf

from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.objectives.symptom import Symptom

# The collapse of `embedding_std`.
CONSTANT_PROJECTIONS = Symptom(
    "constant projections",
    {"projection_std": (0.0, 0.15)},
    "all images have the same projection, which is easily predicted",
    "Try a lower `learning_rate`, a longer warm-up or a larger `batch_size`",
)


def two_view_features(views):
    """Stacks the features of two global views.

    Args:
        views: List of two dictionaries as the backbone gives them.

    Returns:
        (B, 2, D), the batch first, so that what becomes of it can be gathered over replicas.

    Raises:
        ValueError: If there are local crops.
    """
    if len(views) != 2:
        raise ValueError(
            "Expected two global views, which is all this objective compares. "
            f"Received: {len(views)} views. Augment without local crops (`num_local=0`)."
        )
    return tf.stack([view["features"] for view in views], axis=1)


def per_view(head, embeddings):
    """Runs a head over (B, 2, D), each view with batch statistics of its own, to (B, 2, K)."""
    views = tf.unstack(embeddings, axis=1)
    return tf.stack([head(view, training=True) for view in views], axis=1)


def with_shape(gathered, rows):
    """Gives what was gathered from all replicas the shape of one replica's (B, ...) rows again.

    TensorFlow forgets all of it but the rank.

    Returns:
        `gathered`, known to be (None, ...).
    """
    return tf.ensure_shape(gathered, (None, *rows.shape[1:]))


def embedding_std(embeddings):
    """Spread of L2-normalized embeddings, times sqrt(K): about 1 if healthy, 0 if collapsed.

    Args:
        embeddings: Floats (B, 2, K); the spread of either view over the batch, and their mean.

    Returns:
        Float32 scalar.

    Reference:
        Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021, figure 2.
    """
    spread = tf.math.reduce_std(l2_normalize(embeddings, axis=-1), axis=0)
    return tf.reduce_mean(spread) * tf.sqrt(float(embeddings.shape[-1]))
