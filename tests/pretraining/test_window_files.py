"""A run whose window lies in files is the run whose window is in memory."""

import keras
import numpy as np
import pytest

from keras_adasim.pairing import AdaptiveWindow
from keras_adasim.pretraining import building
from keras_adasim.pretraining.reopening import reopen
from keras_adasim.pretraining.run_folder import RunFolder
from tests.models import tiny
from tests.pretraining.runs import IGNORED, pretrain, quick

pytestmark = pytest.mark.filterwarnings(IGNORED)
WINDOW = {"window": 2, "knn_every": 4, "batch_size": 8}


class Fails(keras.callbacks.Callback):
    """Breaks a run off before an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            1 / 0  # noqa: B018


@pytest.mark.large
def test_goes_on_as_a_run_in_memory_does(tmp_path, capsys):
    images, run = tiny.images(), tmp_path / "run"
    with quick():
        pretrain(images, tmp_path / "in_memory", epochs=4, window_in_memory="yes", **WINDOW)
        for broken in (1, 3):
            goes_on = {"epochs": 4, "callbacks": [Fails(broken)], **WINDOW}
            with pytest.raises(ZeroDivisionError):
                pretrain(images, run, window_in_memory="no", **goes_on)
        assert "in files that are mapped" in capsys.readouterr().out
        newest = run / "checkpoints" / "epoch-3"
        # One name in each of two checkpoints, one where it is in use.
        assert (newest / "window-000001.npy").stat().st_nlink == 3
        pretrain(images, run, epochs=4, window_in_memory="yes", **WINDOW)
    for path in sorted((tmp_path / "in_memory/checkpoints/epoch-4").glob("window-*.npy")):
        np.testing.assert_array_equal(
            np.load(run / "checkpoints/epoch-4" / path.name), np.load(path)
        )
    with np.load(run / "checkpoints/epoch-4/pairing.npz") as state:
        assert state["pushes"] == 4


@pytest.mark.large
def test_a_run_is_reopened_with_links_to_its_checkpoint(tmp_path, monkeypatch):
    with quick():
        run = tmp_path / "run"
        own = {"augment": None, "backbone": "vit_mini", "image_size": 16}
        pretrain(tiny.images(), run, num_local=0, patch_size=8, **own, **WINDOW)
        monkeypatch.setattr(building, "WINDOW_SHARE", 0.0)
        model = reopen(RunFolder(run))
    directory = model.pairing.directory
    assert directory.parent == run
    assert next(directory.iterdir()).stat().st_nlink >= 2
    ids, _ = model.pairing.records(np.arange(len(tiny.images())))
    assert ids.shape[1] == 2
    assert (ids >= 0).all()


@pytest.mark.parametrize(("asked", "share", "expected"), [
    ("yes", 0.0, True), ("no", 1.0, False), ("auto", 0.0, False), ("auto", 0.5, True),
])  # fmt: skip
def test_where_it_is(asked, share, expected, monkeypatch):
    monkeypatch.setattr(building, "WINDOW_SHARE", share)
    assert building.keeps_in_memory(asked, 1000, 5, 2) is expected
    assert AdaptiveWindow(1000, 5, 2).directory is None
