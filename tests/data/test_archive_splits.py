import pytest

from keras_adasim.data import ImageFolder, TarSource, open_splits
from tests.data.image_files import fill_folder
from tests.data.tar_files import encoded, write_tar


def write_shard(path, labels=None, start=0, seed=0):
    """Two images, maybe with labels."""
    members = {f"{start + i}.png": encoded(seed + i) for i in range(2)}
    members |= {f"{start + i}.cls": str(label).encode() for i, label in enumerate(labels or ())}
    write_tar(path, members)


def test_splits_by_the_names_of_archives(tmp_path):
    for number in range(2):
        write_shard(tmp_path / f"set-train-{number:02d}.tar", [0, 1])
    write_shard(tmp_path / "set-validation-0.tar", [1, 0])
    train, test = open_splits(tmp_path)
    assert isinstance(train, TarSource)
    assert train.archives == ["set-train-00.tar", "set-train-01.tar"]
    assert test.archives == ["set-validation-0.tar"]
    assert list(test.labels) == [1, 0]
    # Of a test set whose labels are kept secret none is used.
    write_shard(tmp_path / "set-test-0.tar")
    assert open_splits(tmp_path)[1].archives == ["set-validation-0.tar"]
    assert open_splits(tmp_path, test_split="test")[1].archives == ["set-test-0.tar"]
    train, test = open_splits(tmp_path, train_split="01")
    assert (train.archives, test.archives) == (["set-train-01.tar"], ["set-validation-0.tar"])
    assert len(open_splits(tmp_path, train_split=".")[0].archives) == 4
    write_shard(tmp_path / "other.tar")
    with pytest.raises(ValueError, match=r"called train-\*\.tar, .* Received: other\.tar"):
        open_splits(tmp_path)


def test_splits_by_folders_and_shards_without_any(tmp_path):
    write_shard(tmp_path / "one/train/a.tar")
    write_shard(tmp_path / "one/val/a.tar", seed=5)
    train, test = open_splits(tmp_path / "one")
    assert train.keys[0] == test.keys[0] == "a.tar/0.png"
    for name in ("shard-0.tar", "shard-1.tar"):
        write_shard(tmp_path / "two" / name)
    train, test = open_splits(tmp_path / "two")
    assert (len(train), test) == (4, None)
    joined, _ = open_splits([tmp_path / "one", tmp_path / "two"])
    assert len(joined) == 6
    named, test = open_splits(f"{tmp_path}/two/shard-{{0..1}}.tar")
    assert (list(named.keys), test) == (list(train.keys), None)
    files = [f"{tmp_path}/two/shard-{number}.tar" for number in range(2)]
    assert list(open_splits(files)[0].keys) == list(train.keys)
    with pytest.raises(ValueError, match="2 archives, all for training"):
        open_splits(files, require_test=True)


@pytest.mark.parametrize("name", ["test.tar", "shard-test.tar"])
def test_archives_beside_folders_or_images_are_none(tmp_path, name):
    """Such as what a data set was unpacked from."""
    fill_folder(tmp_path / "cat", suffix=".png")
    write_shard(tmp_path / name)
    train, test = open_splits(tmp_path)
    assert isinstance(train, ImageFolder)
    assert (train.class_names, test) == (["cat"], None)
    fill_folder(tmp_path / "flat", suffix=".png")
    write_shard(tmp_path / "flat" / name)
    assert len(open_splits(tmp_path / "flat")[0]) == 4


def test_what_cannot_be_told_is_an_error(tmp_path):
    write_shard(tmp_path / "val-0.tar")
    with pytest.raises(ValueError, match=r"called train-\*\.tar, .* Received: val-0\.tar"):
        open_splits(tmp_path)
    with pytest.raises(ValueError, match=r"have 'shard' in their names, .* Received: val-0\.tar"):
        open_splits(tmp_path, train_split="shard")
    (tmp_path / "gz").mkdir()
    (tmp_path / "gz/train.tar.gz").touch()
    with pytest.raises(ValueError, match=r"aren't compressed.*train\.tar\.gz"):
        open_splits(tmp_path / "gz")
    with pytest.raises(ValueError, match="aren't compressed"):
        open_splits(tmp_path / "gz/train.tar.gz")
