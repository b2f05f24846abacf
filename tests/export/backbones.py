"""Backbones that are small enough to be exported in a test."""

import types

import keras

from keras_adasim import backbones

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


def convolutional(synchronized=False, channels=3):
    """Convolution, BatchNormalization and dropout: everything that differs in training."""
    images = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(images)
    x = keras.layers.BatchNormalization(synchronized=synchronized)(x)
    x = keras.layers.Dropout(0.3)(keras.layers.Activation("relu")(x))
    tokens = keras.layers.Reshape((-1, 8))(x)
    features = keras.layers.GlobalAveragePooling1D()(tokens)
    return keras.Model(images, {"features": features, "tokens": tokens})


def transformer(depth=2):
    return backbones.VisionTransformer(16, 8, 12, depth, 2, drop_path_rate=0.5)


def tiny():
    """The least that can be exported, where what it computes doesn't matter."""
    images = keras.Input((None, None, 3))
    return keras.Model(images, {"features": keras.layers.GlobalAveragePooling2D()(images)})


def teacher_and_student(teacher, student, mean, std):
    """What of a `SelfDistillation` is looked at."""
    augment = types.SimpleNamespace(mean=mean, std=std)
    return types.SimpleNamespace(teacher=teacher, student=student, augment=augment)
