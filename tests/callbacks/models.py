"""Models that are small enough to be trained in a test, with what callbacks ask for."""

import types

import keras
import numpy as np
import tensorflow as tf

X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
Y = X.sum(axis=1, keepdims=True)


def plain(width=3, optimizer="adam", seed=0):
    """A network with everything that a checkpoint must hold: momenta, statistics, seeds."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(width),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(1),
        ]
    )
    # Tracing takes longer than these few steps.
    model.compile(optimizer, "mse", run_eagerly=True)
    return model


def fit(model, epochs, callbacks=(), **kwargs):
    """Two steps an epoch, always in the same order."""
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0, **kwargs}
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **arguments)


class Watched(keras.Model):
    """Stands in for `SelfDistillation`: a tiny network, a pairing, a bank, and `embed`."""

    def __init__(self, num_images=6, bank=None):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.pairing = FakePairing(num_images)
        self.bank = bank
        self.build((None, 4))

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.built = True

    def call(self, inputs):
        return self.dense(inputs)

    def embed(self, images):
        """The mean of each channel."""
        return tf.reduce_mean(tf.cast(images, tf.float32) / 255.0, axis=(1, 2))


class FakeBank:
    """Says what it is told to have found."""

    is_spread = False

    def __init__(self, ids, similarities):
        self.ids, self.similarities = np.array(ids), np.array(similarities)
        self.num_images = len(self.ids)

    def records(self, indices):
        return self.ids[indices], self.similarities[indices]


class FakePairing:
    """Every image's partner is the next one."""

    def __init__(self, num_images):
        self.num_images = num_images

    def partners(self, indices):
        return (np.asarray(indices) + 1) % self.num_images

    def partner_sample(self, num_images):
        return np.arange(num_images), self.partners(np.arange(num_images))

    def statistics(self):
        return {"gate_open": 0.75, "partner_is_self": 0.25}


def source(images, labels):
    """A source as `keras_adasim.data` has them, in plain Python."""

    class Source(types.SimpleNamespace):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            return images[index]

    return Source(labels=None if labels is None else np.asarray(labels))
