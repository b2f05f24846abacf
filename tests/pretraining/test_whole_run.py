"""A run with all that belongs to it: graphs, SavedModel, and parts of one's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_adasim as ka
from keras_adasim.models.teacher import all_layers
from keras_adasim.pretraining import building
from tests.models import tiny
from tests.pretraining.runs import small_backbone


@pytest.mark.large
def test_parts_of_ones_own(tmp_path):
    """An array, an objective, callbacks; the method without a teacher doesn't speak of one."""
    epochs = []
    own = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(dict(logs)))
    result = ka.pretrain(
        tiny.images(),
        tmp_path / "run",
        small_backbone(),
        ka.objectives.SimSiam(8, 8, predictor_hidden_dim=4),
        "self",
        augment=tiny.crops_only(),
        callbacks=[own],
        epochs=1,
        batch_size=8,
        xla="no",
    )
    assert result["provenance"]["settings"]["objective"].startswith("SimSiam")
    assert "rank_me" in epochs[0]
    exported = tf.saved_model.load(result["saved_model"])
    assert exported.serve(tiny.images())["features"].shape == (len(tiny.images()), 8)


@pytest.mark.large
def test_parts_of_ones_own_on_two_devices(tmp_path):
    """A model has its variables from before there were devices: it ended in TensorFlow's error."""
    backbone = small_backbone()
    before = [weight.numpy() for weight in backbone.weights]
    result = ka.pretrain(
        tiny.images(),
        tmp_path / "run",
        backbone,
        ka.objectives.NNCLR(8, 8, predictor_hidden_dim=4, queue_size=16),
        augment=tiny.crops_only(),
        devices=2,
        epochs=1,
        batch_size=8,
        topk=4,
        window=1,
        xla="no",
    )
    exported = tf.saved_model.load(result["saved_model"])
    assert exported.serve(tiny.images())["features"].shape == (len(tiny.images()), 8)
    for value, weight in zip(before, backbone.weights, strict=True):
        np.testing.assert_array_equal(value, weight.numpy())  # Its copy was trained.


def test_a_copy_for_all_devices_has_the_same_layers_frozen():
    backbone = tiny.vit(depth=2)
    backbone.patch_embedding.trainable = False
    copy = building.on_all_devices(backbone)
    for ours, theirs in zip(all_layers(copy), all_layers(backbone), strict=True):
        assert ours.trainable == theirs.trainable
    for ours, theirs in zip(copy.weights, backbone.weights, strict=True):
        assert ours is not theirs
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
