"""A run that diverges ends, leaves no export, and says so."""

import numpy as np
import pytest

from keras_adasim import NotFiniteError, pretrain
from keras_adasim.commands.running import status
from tests.pretraining.runs import IGNORED, SMALL, eagerly, one_block


@pytest.mark.slow
@pytest.mark.filterwarnings(IGNORED)
def test_a_run_that_diverges_exports_nothing(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), "uint8")
    settings = {**SMALL, "batch_size": 8, "warmup_epochs": 0, "pairing": "self", "image_size": 8}
    settings |= {"precision": "float32", "learning_rate": 1e30}
    expected = pytest.raises(NotFiniteError, match=r"learning rate \d\.\d+e\+28")
    with eagerly(), one_block(), expected as caught:
        pretrain(images, tmp_path / "run", "vit_mini", **settings)
    assert status(caught.value) == 1
    notes = " ".join(caught.value.__notes__)
    assert "No checkpoint yet" in notes
    assert "traceback.txt" in notes
    assert not (tmp_path / "run" / "saved_model").exists()
