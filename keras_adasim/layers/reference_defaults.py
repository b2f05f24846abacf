"""Keras layers and initializers with the settings of the methods' reference code in PyTorch."""

import keras

from keras_adasim.layers.batch_normalization import BatchNormalization


def dense(units, dtype, name):
    """A dense layer whose kernel starts normal with standard deviation 0.02, its bias at zero."""
    initializer = normal_initializer()
    return keras.layers.Dense(units, kernel_initializer=initializer, dtype=dtype, name=name)


def layer_norm(dtype, name):
    """Layer normalization with an epsilon of 1e-6."""
    return keras.layers.LayerNormalization(epsilon=1e-6, dtype=dtype, name=name)


def batch_norm(dtype, name, **kwargs):
    """Batch normalization over all replicas, with PyTorch's epsilon and momentum of 0.1."""
    return BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, name=name, **kwargs)


def normal_initializer():
    """A new normal initializer of standard deviation 0.02.

    DINO draws from a normal truncated at +-2, a hundred standard deviations: that is a normal.
    Keras' TruncatedNormal cuts at two standard deviations, which would shrink the weights by 12 %.
    """
    return keras.initializers.RandomNormal(stddev=0.02)


def uniform_initializer(fan_in):
    """A new initializer, uniform in +-1 / sqrt(fan_in): PyTorch's default where DINO sets none."""
    limit = fan_in**-0.5
    return keras.initializers.RandomUniform(-limit, limit)
