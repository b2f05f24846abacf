"""What a run is said to need, against what it takes; and what can't fit."""

import gc
import pathlib
import shutil

import numpy as np
import pytest

from keras_adasim import callbacks, layers, pairing
from keras_adasim.pretraining import needs
from keras_adasim.pretraining.needs import Needs, bytes_on_disk
from tests.models import tiny
from tests.pretraining.runs import IGNORED, make_images, pretrain, quick, small_backbone

pytestmark = pytest.mark.filterwarnings(IGNORED)
WINDOW, TOPK, DIM = 4, 5, 256


def large_model(num_images):
    """Nearly no network, with a bank and a window."""
    partners = pairing.AdaptiveWindow(num_images, WINDOW, TOPK)
    bank = layers.NeighborBank(num_images, DIM, TOPK)
    return tiny.model(small_backbone(DIM), pairs=partners, bank=bank)


def records(num_images):
    ids = (np.arange(num_images)[:, None] + np.arange(TOPK)) % num_images
    return ids, np.full(ids.shape, 0.5, np.float32)


def own_memory():
    """Bytes that belong to this process alone."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(dict(line.split(":", 1) for line in lines)["RssAnon"].split()[0])


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize("num_images", [50_000, 100_000, 200_000])
def test_memory(num_images):
    large_model(100)  # What TensorFlow loads for the first one stays.
    gc.collect()
    before = own_memory()
    model = large_model(num_images)
    model.pairing.push(*records(num_images))
    taken = own_memory() - before
    assert Needs.of(model).host == pytest.approx(taken, rel=0.1)


@pytest.mark.parametrize("num_images", [1_000, 5_000, 25_000])
def test_disk(num_images, tmp_path):
    model = large_model(num_images)
    backup = callbacks.Backup(tmp_path)
    backup.set_model(model)
    backup.set_params({"epochs": 10})
    backup.on_train_begin()
    for epoch in range(10):
        model.pairing.push(*records(num_images))
        backup.on_epoch_end(epoch, {"knn_top1": epoch == 3})
    backup.on_train_end()
    planned = Needs.of(model).disk(10, checkpoints=3)
    assert sorted(path.name for path in tmp_path.glob("*")) == ["epoch-10", "epoch-4", "epoch-9"]
    assert bytes_on_disk(tmp_path) == pytest.approx(planned, rel=0.1)


def test_a_device_keeps_its_share(two_replicas):
    with two_replicas.scope():
        models = [
            tiny.model(bank=layers.NeighborBank(32, 16, 4, sharded=sharded), compiled=True)
            for sharded in (False, True)
        ]
    whole, shared = map(Needs.of, models)
    assert shared.bank * 32 == whole.bank * 17  # A row more than its half, for others' writes.
    assert (whole.weights, whole.gradients) == (shared.weights, shared.gradients)
    assert whole.host == 2 * whole.device + whole.window + 12 * 32 * 4  # Neighbors that are read.


@pytest.fixture
def images(tmp_path):
    with quick():
        yield make_images(tmp_path / "images", splits=("train",))


@pytest.mark.parametrize(
    ("memory", "settings", "expected"),
    [
        ({"device_memory": 1000}, {}, "a device's bank.*`row_dtype=float16`.*`sharded`.*`limit`"),
        ({"host_memory": 500}, {"window_in_memory": "yes"}, "the window.*`window_in_memory=no`"),
        ({"host_memory": 6000}, {"in_memory": "yes"}, "all images in memory.*`in_memory=no`"),
        ({"host_memory": 2500}, {"window_in_memory": "no"}, "this machine's memory.*`row_dtype"),
    ],
)
def test_what_memory_is_too_small_for_is_refused(memory, settings, expected, images, monkeypatch):
    for name, size in memory.items():
        monkeypatch.setattr(needs, name, lambda size=size: size)
    with pytest.raises(ValueError, match=expected):
        pretrain(images, images.parent / "run", dry_run=True, **settings)


def test_what_the_disk_is_too_small_for_is_refused(images, monkeypatch):
    usage = shutil._ntuple_diskusage(10**6, 10**6 - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="free space for checkpoints"):
        pretrain(images, images.parent / "run", dry_run=True)


def test_what_a_run_or_a_fresh_one_holds_already(images, tmp_path, monkeypatch):
    out = tmp_path / "run"
    pretrain(images, out)
    usage = shutil._ntuple_diskusage(10**6, 10**6 - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    pretrain(images, out, dry_run=True)  # It is finished, and writes nothing any more.
    with pytest.raises(OSError, match="free space for checkpoints"):
        pretrain(images, out, fresh=True, dry_run=True)


def test_of_a_gpu_its_driver_tells(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 81559\necho 40000\n")
    program.chmod(0o755)
    monkeypatch.setattr(needs.tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert needs.device_memory() == 40_000 * 2**20
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert needs.device_memory() is None
