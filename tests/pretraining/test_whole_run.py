"""A run with all that belongs to it: graphs, SavedModel, and parts of one's own."""

import keras
import pytest
import tensorflow as tf

import keras_adasim as ka
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
