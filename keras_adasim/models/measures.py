"""What the training step measures beside the loss."""

import tensorflow as tf

from keras_adasim.layers.preprocessing import l2_normalize


def feature_std(features):
    """Spread of L2-normalized features (B, D), times sqrt(D): about 1 if healthy, 0 if collapsed.

    Under several replicas this is the mean of each one's spread over its own part of the batch,
    which is a little smaller than that of the whole.

    Reference:
        - Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021, figure 2.
    """
    spread = tf.reduce_mean(tf.math.reduce_std(l2_normalize(features), axis=0))
    return spread * tf.sqrt(float(features.shape[-1]))
