"""What the contrastive methods share: anchors, each with one positive among all candidates."""

import tensorflow as tf

from keras_adasim.layers.preprocessing import l2_normalize


def cosine_similarities(first, second):
    """Cosine of every row of (B, D) with every row of (N, D), float32 (B, N)."""
    first, second = l2_normalize(first, axis=-1), l2_normalize(second, axis=-1)
    return tf.matmul(first, second, transpose_b=True)


def info_nce(anchors, candidates, temperature, first_row=0):
    """Cross-entropy of finding each anchor's positive among all candidates by cosine similarity.

    Args:
        anchors: (B, D), of any length: one replica's part of the global batch, or all of it.
        candidates: (N, D), of any length: the global batch.
        temperature: Positive scalar that the similarities are divided by.
        first_row: Place of the first anchor's positive; that of anchor i is `first_row + i`.

    Returns:
        Float32 scalar, the mean over the anchors.

    Reference:
        van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018.
    """
    logits = cosine_similarities(anchors, candidates) / temperature
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=positives(anchors, first_row), logits=logits
    )
    return tf.reduce_mean(losses)


def contrast_accuracy(anchors, candidates, first_row=0):
    """Share of the anchors (B, D) whose positive is the most similar candidate of (N, D)."""
    best = tf.argmax(cosine_similarities(anchors, candidates), axis=-1, output_type=tf.int32)
    return tf.reduce_mean(tf.cast(best == positives(anchors, first_row), tf.float32))


def positives(anchors, first_row):
    """The places (B,), int32, of the positives of (B, D) anchors among the candidates."""
    return tf.cast(first_row, tf.int32) + tf.range(tf.shape(anchors)[0])
