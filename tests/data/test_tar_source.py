import concurrent.futures
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_adasim import data, pairing
from keras_adasim.augment import MultiCrop
from keras_adasim.data import ImageFolder, TarSource, open_folder
from keras_adasim.data import open_archives as open_module
from tests.data.image_files import fill_folder
from tests.data.tar_files import age, encoded, write_tar


def shards_of(folder, out, per_shard=2):
    """Packs the images of a folder as they lie there, in shards."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    for number, start in enumerate(range(0, len(paths), per_shard)):
        some = paths[start : start + per_shard]
        members = {str(p.relative_to(folder)): p.read_bytes() for p in some}
        write_tar(out / f"shard-{number:03d}.tar", members)


@pytest.fixture
def both(tmp_path):
    """The same images in a folder and in shards."""
    fill_folder(tmp_path / "images/cat")
    fill_folder(tmp_path / "images/dog", suffix=".png")
    image = Image.open(tmp_path / "images/cat/000.jpg")
    exif = Image.Exif()
    exif[274] = 6  # Turned.
    image.save(tmp_path / "images/cat/turned.jpg", exif=exif)
    shards_of(tmp_path / "images", tmp_path / "shards")
    return ImageFolder(tmp_path / "images"), open_folder(tmp_path / "shards")


def test_images_are_those_of_a_folder(both):
    folder, shards = both
    assert isinstance(shards, TarSource)
    assert len(shards) == len(folder) == 9
    assert len(shards.archives) == 5
    members = [path.partition("/")[2] for path in shards.paths]
    assert members == list(folder.paths)
    assert shards.class_names == folder.class_names == ["cat", "dog"]
    np.testing.assert_array_equal(shards.labels, folder.labels)
    decoded = tf.data.Dataset.range(9).map(shards.decode, 4)
    for i, image in enumerate(decoded.as_numpy_iterator()):
        np.testing.assert_array_equal(image, folder[i])
        np.testing.assert_array_equal(shards[i], folder[i])
        for full in (False, True):
            assert shards.look(i, full) == folder.look(i, full)
    assert shards[4].shape == (30, 24, 3)
    assert shards.describe(2) == f"{shards.path}/shard-001.tar/cat/002.jpg"
    with pytest.raises(IndexError):
        shards[9]


def test_pairs_are_those_of_a_folder(both):
    def views(source):
        pairs = data.PairDataset(source, pairing.SelfPairing(), 3, MultiCrop(16))
        return [batch["views"][0].numpy() for batch in pairs]

    for mine, theirs in zip(*map(views, both), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_keys_and_fingerprints_stay_when_the_folder_moves(both, tmp_path):
    _, shards = both
    keys, fingerprints = list(shards.keys), shards.fingerprints()
    assert keys[0] == "shard-000.tar/cat/000.jpg"
    assert len({*fingerprints.tolist()}) == 9
    np.testing.assert_array_equal(shards.fingerprints([7, 2]), fingerprints[[7, 2]])
    (tmp_path / "shards").rename(tmp_path / "moved")
    np.testing.assert_array_equal(shards.fingerprints(), np.zeros(9))
    moved = TarSource(tmp_path / "moved")
    assert list(moved.keys) == keys
    np.testing.assert_array_equal(moved.fingerprints(), fingerprints)
    age(tmp_path / "moved/shard-001.tar", 1_600_000_000)
    changed = moved.fingerprints() != fingerprints
    np.testing.assert_array_equal(np.flatnonzero(changed), [2, 3])
    assert list(TarSource(f"{tmp_path}/moved/shard-{{000..004}}.tar").keys) == keys


@pytest.mark.parametrize(
    ("members", "labels", "names", "why"),
    [
        ({"a": ["1.png", "2.png"], "b": ["3.png"]}, None, None, "no folders in the archives in"),
        ({"a": ["x/dog/1.png", "x/cat/2.png"], "b": ["x/dog/3.png"]}, [1, 0, 1], "cat dog", None),
        ({"a": ["x/1.png", "x/2.png"]}, [0, 0], "x", None),
        ({"a": ["cat/1.png", "2.png"]}, None, None, "images in no folder in"),
        ({"a": ["a/1.png"], "b": ["b/1.png"]}, None, None, "such as are called like them"),
        ({"a": ["a/dog/1.png"], "b": ["b/cat/1.png"]}, [1, 0], "cat dog", None),
        ({"a": ["cat/1.png", "cat/1.cls=5"], "b": ["dog/1.png", "dog/1.cls=7"]}, [5, 7], "", None),
        ({"a": ["1.png", "1.cls=5"], "b": ["2.png"]}, None, None, r"1 of 2 images .*b.tar/2.png"),
    ],
)
def test_labels(tmp_path, members, labels, names, why):
    for archive, listed in members.items():
        parts = [name.partition("=") for name in listed]
        write_tar(
            tmp_path / f"{archive}.tar", {n: number.encode() or encoded() for n, _, number in parts}
        )
    source = TarSource(tmp_path)
    if why:
        assert source.labels is None
        with pytest.raises(ValueError, match=why):
            source.checked_labels()
        return
    np.testing.assert_array_equal(source.labels, labels)
    assert source.class_names == (names.split() or None)


def test_what_is_left_out_is_named(tmp_path, caplog):
    write_tar(tmp_path / "a.tar", [("1.png", encoded()), ("1.png", encoded()), ("x.heic", b"")])
    source = TarSource(tmp_path)
    assert list(source.left_out) == ["a.tar/1.png at byte 512"]
    assert source.others == {".heic": 1}
    assert "a.tar/1.png at byte 512" in caplog.text
    assert "convert to JPEG" in caplog.text
    content = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(content[: source._offsets[0] + 512])
    TarSource(tmp_path)
    assert "without their end mark, which may be cut off" in caplog.text


def test_bad_archives_are_refused_with_their_place(tmp_path):
    for name in ("a.tar", "b.tar", "c.tar", "d.tar"):
        write_tar(tmp_path / name, {"1.png": encoded()})
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:600])
    (tmp_path / "c.tar").write_bytes(b"\x1f\x8b" * 400)
    with pytest.raises(
        ValueError, match=r"(?s)copy those again.*a\.tar, .*byte 600.*gzip"
    ) as error:
        open_folder(tmp_path)
    assert "\n" not in str(error.value)
    write_tar(tmp_path / "e/a.tar", {"1.txt": b""})
    with pytest.raises(FileNotFoundError, match=r"1 archives without any, but with 1 \.txt"):
        TarSource(tmp_path / "e")
    with pytest.raises(ValueError, match="channels=4"):
        TarSource(tmp_path / "d.tar", channels=4)


@pytest.mark.parametrize("how", ["in place", "replaced", "shorter", "gone"])
def test_an_archive_that_changes_is_noticed(both, tmp_path, how):
    """What lay at an image's place was decoded, another image or half of one."""
    _, shards = both
    watched = data.WatchedSource(shards, np.arange(9))
    assert shards[2].shape == (26, 26, 3)
    path = tmp_path / "shards/shard-001.tar"
    content = path.read_bytes()
    if how in ("in place", "replaced"):
        other = tmp_path / "other.tar"
        write_tar(other, {"new.png": encoded(), "cat/002.jpg": encoded(form="jpeg")})
        age(other, 1_650_000_000)
        if how == "replaced":
            os.replace(other, path)
        else:
            path.write_bytes(other.read_bytes())
    elif how == "shorter":
        path.write_bytes(content[:700])
    else:
        path.unlink()
    if how not in ("replaced", "gone"):  # Those are read from the file that is still open.
        with pytest.raises(ValueError, match="the archive has changed: at byte 512"):
            shards[2]
    np.testing.assert_array_equal(watched.unreadable([1, 2, 3, 4]), [False, True, True, False])
    wanted = "No such file" if how == "gone" else "the archive has changed"
    assert wanted in watched.bad[2]
    if how == "replaced":
        with pytest.raises(ValueError, match="the archive has changed"):
            shards[2]
    assert shards[4].shape == (30, 24, 3)
    if how == "in place":
        path.write_bytes(content)
        assert shards[2].shape == (26, 26, 3)


def test_damaged_members_are_named(tmp_path):
    write_tar(tmp_path / "a.tar", {"1.png": encoded(), "2.png": b"no image", "3.png": b""})
    source = TarSource(tmp_path)
    looks = data.look_at(source)
    assert looks.reasons == {1: "8 bytes of no known image format", 2: "an empty file"}
    with pytest.raises(ValueError, match=r"a\.tar/2\.png to be a sound image"):
        source[1]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a\.tar/2\.png"):
        list(tf.data.Dataset.range(1, 2).map(source.decode))


def test_deep_images_have_a_range(tmp_path):
    image = np.linspace(1000, 3000, 64).reshape(8, 8, 1).astype(np.uint16)
    write_tar(tmp_path / "a.tar", {"1.png": tf.io.encode_png(image).numpy()})
    source = TarSource(tmp_path, channels=1)
    assert 1000 <= source.value_range[0] < source.value_range[1] <= 3000
    assert (source[0].min(), source[0].max()) == (0, 255)


def test_many_threads_and_few_open_files(both, monkeypatch):
    folder, shards = both
    monkeypatch.setattr(shards._opened, "_most", 1)
    indices = np.random.default_rng(0).integers(0, 9, 300)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        read = list(threads.map(shards.contents, indices))
    assert read == [folder.contents(i) for i in indices]
    assert len(shards._opened._opened) == 1
    monkeypatch.setattr(open_module, "_most_files", lambda: 100)
    assert open_module.OpenArchives([])._most == 50


def test_a_joined_subset_of_archives(both):
    folder, shards = both
    source = data.Subset(data.JoinedSource([shards, folder]), [10, 3])
    np.testing.assert_array_equal(source[1], shards[3])
    np.testing.assert_array_equal(source.labels, [0, 0])
    assert list(source.keys) == ["1/cat/001.jpg", "0/shard-001.tar/cat/003.jpg"]
