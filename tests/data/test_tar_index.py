import pathlib

import numpy as np
import pytest

from keras_adasim.data import tar_index as module
from keras_adasim.data.image_folder import ImageFolder
from keras_adasim.data.tar_index import sample_key, tar_index
from tests.data.tar_files import age, write_tar

SUFFIXES = ImageFolder.suffixes


@pytest.fixture
def walks(monkeypatch):
    """List of the archives that are walked through."""
    found, build = [], module._build

    def build_and_count(path, *arguments):
        found.append(path.name)
        return build(path, *arguments)

    monkeypatch.setattr(module, "_build", build_and_count)
    return found


def same(first, second):
    arrays = ("offsets", "sizes", "labels", "checks")
    for name in arrays:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    rest = ("names", "left_out", "others", "ended")
    assert all(getattr(first, name) == getattr(second, name) for name in rest)


def test_samples_labels_and_others(tmp_path):
    write_tar(
        tmp_path / "a.tar",
        [
            ("./cat/1.jpg", b"jpeg"),
            ("./cat/1.mask.png", b"png"),
            ("./cat/1.cls", b"3\n"),
            ("./cat/1.json", b"{}"),
            ("./cat/._1.jpg", b"of macOS"),
            ("photo.2.PNG", b"png"),
            ("photo.2.cls", b"5"),  # As webdataset reads it, that of the sample "photo".
            ("photo.3.PNG", b"png"),
            ("secret.webp", b"webp"),
            ("secret.cls", b"-1"),
        ],
    )
    index = tar_index(tmp_path / "a.tar", SUFFIXES)
    assert index.names == ["cat/1.jpg", "photo.2.PNG", "photo.3.PNG", "secret.webp"]
    np.testing.assert_array_equal(index.labels, [3, 5, 5, -1])
    assert index.others == {".json": 1, ".mask.png": 1}
    assert sample_key("a.b/c.d.jpg") == ("a.b/c", "d.jpg")


def test_a_member_that_is_there_twice_is_named(tmp_path):
    write_tar(tmp_path / "a.tar", [("1.jpg", b"old"), ("2.jpg", b"two"), ("1.jpg", b"new")])
    index = tar_index(tmp_path / "a.tar", SUFFIXES)
    assert index.names == ["2.jpg", "1.jpg"]
    assert index.offsets[1] == 5 * 512
    reason = "there again at byte 2560, which is taken"
    assert index.left_out == {"1.jpg at byte 512": reason}


@pytest.mark.parametrize("content", [b"cat", b"", b"1.5", b"9" * 30, b"1" * 100])
def test_a_label_that_is_no_integer_is_refused(tmp_path, content):
    write_tar(tmp_path / "a.tar", {"1.jpg": b"", "1.cls": content})
    with pytest.raises(ValueError, match=r"'1\.cls' at byte 1024 is no integer"):
        tar_index(tmp_path / "a.tar", SUFFIXES)


def test_an_archive_is_walked_through_once(tmp_path, walks):
    path = tmp_path / "a.tar"
    write_tar(path, [("caf\udce9.jpg", b"1"), ("2.jpg", b"2"), ("2.cls", b"2"), ("2.jpg", b"3")])
    first = tar_index(path, SUFFIXES)
    same(tar_index(path, SUFFIXES), first)
    assert walks == ["a.tar"]
    # With other suffixes, another time or a damaged index, it is walked through again.
    assert len(tar_index(path, (".png",)).names) == 0
    same(tar_index(path, SUFFIXES), first)
    age(path, 1_600_000_000)
    same(tar_index(path, SUFFIXES), first)
    kept = tmp_path / ".a.tar.index"
    content = kept.read_bytes()
    for damaged in (content[:-1], content[:40], b"", content[:-1] + b"x", b"{}\n"):
        kept.write_bytes(damaged)
        same(tar_index(path, SUFFIXES), first)
    assert len(walks) == 9
    # A copy of both in another folder.
    (tmp_path / "moved").mkdir()
    for name in ("a.tar", ".a.tar.index"):
        (tmp_path / "moved" / name).write_bytes((tmp_path / name).read_bytes())
    age(tmp_path / "moved/a.tar", 1_600_000_000)
    same(tar_index(tmp_path / "moved/a.tar", SUFFIXES), first)
    assert len(walks) == 9


def test_an_index_that_cannot_lie_beside_its_archive_is_kept_in_the_caches(
    tmp_path, monkeypatch, walks
):
    path = tmp_path / "a.tar"
    write_tar(path, {"1.jpg": b"1"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    write = module.write_file

    def write_elsewhere(place, content):
        if place.parent == tmp_path:
            raise PermissionError(13, "Permission denied", place)
        write(place, content)

    monkeypatch.setattr(module, "write_file", write_elsewhere)
    for _ in range(2):
        assert tar_index(path, SUFFIXES).names == ["1.jpg"]
    assert walks == ["a.tar"]
    assert len(list((tmp_path / "caches/keras_adasim/archives").iterdir())) == 1

    def refuse(*_):
        raise OSError(28, "No space left on device")

    age(path, 1_600_000_000)
    monkeypatch.setattr(module, "write_file", refuse)
    for _ in range(2):  # Never a reason to fail.
        assert tar_index(path, SUFFIXES).names == ["1.jpg"]
    assert len(walks) == 3


def test_an_archive_that_is_being_written_is_not_remembered(tmp_path, monkeypatch, walks):
    path = tmp_path / "a.tar"
    write_tar(path, {"1.jpg": b"1"})
    path.touch()
    tar_index(path, SUFFIXES)
    assert not (tmp_path / ".a.tar.index").exists()
    counted = module._build

    def meanwhile(where, *arguments):
        index = counted(where, *arguments)
        write_tar(path, {"1.jpg": b"1", "2.jpg": b"2" * 20000})
        return index

    monkeypatch.setattr(module, "_build", meanwhile)
    with pytest.raises(ValueError, match="being written"):
        tar_index(pathlib.Path(path), SUFFIXES)
