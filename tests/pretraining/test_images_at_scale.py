"""Archives, listings and labels of a run with many images."""

import os

import pytest

import keras_adasim as ka
from keras_adasim.data import listing
from tests.data.tar_files import write_tar
from tests.pretraining.runs import IGNORED, make_images, pretrain, quick

pytestmark = pytest.mark.filterwarnings(IGNORED)
ON_DISK = {"in_memory": "no", "batch_size": 6}


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick():
        yield


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


def in_lines(printed):
    """Words of a text, however it was wrapped."""
    return " ".join(printed.split())


def pack(images, shards, per_shard=10):
    """Packs a folder's splits into shards that tell theirs by name."""
    for split in ("train", "test"):
        paths = sorted((images / split).rglob("*.png"))
        for start in range(0, len(paths), per_shard):
            some = paths[start : start + per_shard]
            members = {str(p.relative_to(images)): p.read_bytes() for p in some}
            write_tar(shards / f"{split}-{start // per_shard:03d}.tar", members)
    return shards


@pytest.mark.large
def test_a_run_on_archives(images, tmp_path, capsys):
    shards, out = pack(images, tmp_path / "shards"), tmp_path / "run"
    result = pretrain(shards, out, **ON_DISK)
    assert result["epochs"] == 2
    printed = in_lines(capsys.readouterr().out)
    assert "24 in 3 archives looked at, all decoded: 0 bad" in printed
    assert "images 24 of 3 channels in 3 archives" in printed
    # One is gone, one was written anew, and the folder has moved.
    (shards / "train-002.tar").unlink()
    write_tar(
        shards / "train-000.tar", {"train/dark/new.png": (images / "test/dark/0.png").read_bytes()}
    )
    pretrain(shards.rename(tmp_path / "moved"), out, accept_changes=True, dry_run=True, **ON_DISK)
    printed = in_lines(capsys.readouterr().out)
    assert "1 added, 14 removed, of 24 images" in printed
    assert "images 11 of 3 channels in 2 archives" in printed


@pytest.mark.large
def test_folders_that_have_not_changed_are_not_listed_again(images, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(listing, "RECENT_NS", 0)
    out, listed, scandir = tmp_path / "run", [], os.scandir
    pretrain(images, out, **ON_DISK)
    monkeypatch.setattr(listing.os, "scandir", lambda path: listed.append(path) or scandir(path))
    pretrain(images, out, dry_run=True, **ON_DISK)
    of_images = [path for path in listed if os.path.basename(path) in ("dark", "light", "bright")]
    assert of_images == []
    (images / "train/dark/0.png").rename(images / "train/dark/zero.png")
    pretrain(images, out, dry_run=True, **ON_DISK)
    assert str(images / "train/dark") in map(str, listed)
    assert "1 moved, of 24 images" in in_lines(capsys.readouterr().out)


class Secret(ka.data.Subset):
    """Images whose labels must not be read."""

    @property
    def labels(self):
        raise AssertionError("labels were read")


def test_labels_that_nobody_asks_for_are_not_read(images, tmp_path, capsys):
    folder = ka.data.ImageFolder(images / "train")
    source = Secret(folder, range(len(folder)))
    pretrain(source, tmp_path / "run", knn_images=0, dry_run=True, **ON_DISK)
    assert "k-NN left out: not asked for, by `knn_images`=0" in in_lines(capsys.readouterr().out)
    with pytest.raises(AssertionError, match="labels were read"):
        pretrain(source, tmp_path / "run", dry_run=True, **ON_DISK)
    with pytest.raises(ValueError, match="knn_images=1"):
        pretrain(images, tmp_path / "run", knn_images=1, dry_run=True, **ON_DISK)
