"""An export serves processes that know nothing of this package."""

import subprocess
import sys

import pytest

PLAIN_TENSORFLOW = """
import sys
import numpy as np
import tensorflow as tf

images = np.random.default_rng(0).integers(0, 256, (8, 20, 20, 3), np.uint8)
labels = np.arange(8) % 2
for folder in sys.argv[1:]:
    backbone = tf.saved_model.load(folder)
    variables = list(backbone.trainable_variables)
    before = [variable.numpy() for variable in variables]
    head = tf.Variable(tf.random.stateless_normal((variables[-1].shape[0], 2), [0, 0]))
    losses = []
    for _ in range(30):
        with tf.GradientTape() as tape:
            logits = backbone.train(images)["features"] @ head
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        for variable, gradient in zip(variables + [head], tape.gradient(loss, variables + [head])):
            variable.assign_sub(0.05 * gradient)
        losses.append(float(loss))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5]), (folder, losses)
    assert all(np.abs(v - b).max() > 1e-4 for v, b in zip(variables, before)), folder
assert "keras_adasim" not in sys.modules
print("plain TensorFlow: done")
"""

KERAS_LAYER = """
import keras
from keras_adasim.export import load_backbone

backbone = load_backbone(sys.argv[1])
before = [variable.numpy() for variable in backbone.trainable_variables]
inputs = keras.Input((None, None, 3), dtype="uint8")
model = keras.Model(inputs, keras.layers.Dense(2)(backbone(inputs)["features"]))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.AdamW(0.02), loss, jit_compile=False)
losses = model.fit(images, labels, epochs=40, verbose=0).history["loss"]
assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10]), losses
after = [variable.numpy() for variable in backbone.trainable_variables]
assert all(np.abs(a - b).max() > 1e-4 for a, b in zip(after, before, strict=True))
assert keras.saving.get_registered_object("keras_adasim>SelfDistillation")
print("Keras layer: done")
"""


@pytest.mark.large
def test_fine_tuning(exports):
    """A process has TensorFlow to import, so one does for both backbones and both ways."""
    folders = [exports[1][name] for name in ("convolutional", "transformer")]
    run = subprocess.run(
        [sys.executable, "-c", PLAIN_TENSORFLOW + KERAS_LAYER, *folders],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines() == ["plain TensorFlow: done", "Keras layer: done"]
