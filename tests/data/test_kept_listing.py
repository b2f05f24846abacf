import os
import time

import pytest

from keras_adasim.data import ImageFolder
from keras_adasim.data import listing as module
from keras_adasim.data.kept_listing import kept_listing


@pytest.fixture
def listed(monkeypatch):
    """List of the names of folders that are listed."""
    found, scandir = [], os.scandir

    def scan(path):
        found.append(os.path.basename(os.fspath(path).rstrip("/")))
        return scandir(path)

    monkeypatch.setattr(module.os, "scandir", scan)
    monkeypatch.setattr(module, "RECENT_NS", 0)
    return found


def settle():
    """Waits until a change gives a folder another time."""
    time.sleep(0.02)


def opened(folder, listed):
    """The folder with its kept listing, as a later start does; and what was listed for it."""
    settle()
    listed.clear()
    kept = folder.parent / "kept"
    source = ImageFolder(folder, listings=kept)
    source.keep_listing(source.listing_file(kept))
    again = sorted(listed)
    assert source.paths == ImageFolder(folder).paths
    return source, again


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_only_what_changed_is_listed_again(tmp_path, listed):
    folder = tmp_path / "set"
    write(folder, "ant/1.png", "ant/x/2.png", "ant-1/3.png", "bee/4.png", "bee/notes.txt")
    source, again = opened(folder, listed)
    assert again == ["ant", "ant-1", "bee", "set", "x"]
    labels, others = source.labels, source.others
    source, again = opened(folder, listed)
    assert again == []
    assert source.paths == ["ant/1.png", "ant/x/2.png", "ant-1/3.png", "bee/4.png"]
    assert (source.labels.tolist(), source.others) == (labels.tolist(), others)
    write(folder, "bee/5.png")
    (folder / "ant/x/2.png").rename(folder / "ant/x/3.png")
    assert opened(folder, listed)[1] == ["bee", "x"]
    assert opened(folder, listed)[1] == []
    write(folder, "cow/6.png")
    (folder / "ant/1.png").unlink()
    source, again = opened(folder, listed)
    assert again == ["ant", "cow", "set"]
    assert source.class_names == ["ant", "ant-1", "bee", "cow"]
    write(folder, "own.png")
    source, again = opened(folder, listed)
    assert (again, source.labels) == (["set"], None)
    # A time that was put back doesn't hide a change.
    status = os.stat(folder / "cow")
    settle()
    write(folder, "cow/7.png")
    os.utime(folder / "cow", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert opened(folder, listed)[1] == ["cow"]


def test_what_cannot_be_told_by_times_is_always_listed(tmp_path, listed):
    folder = tmp_path / "set"
    write(folder, "ant/1.png", "bee/2.png", "cow/3.png")
    write(tmp_path, "elsewhere.png")
    (folder / "ant/link.png").symlink_to(tmp_path / "elsewhere.png")
    os.mkfifo(folder / "bee/pipe.png")
    opened(folder, listed)
    source, again = opened(folder, listed)
    assert again == ["ant", "bee"]
    assert source.left_out == {"bee/pipe.png": "no ordinary file"}
    (tmp_path / "elsewhere.png").unlink()
    assert "ant/link.png" in opened(folder, listed)[0].left_out


def test_a_folder_that_has_just_changed_is_listed_again(tmp_path, listed, monkeypatch):
    monkeypatch.setattr(module, "RECENT_NS", 10**12)
    write(tmp_path / "set", "ant/1.png")
    opened(tmp_path / "set", listed)
    assert opened(tmp_path / "set", listed)[1] == ["ant", "set"]


def test_a_damaged_file_or_another_folder_is_listed(tmp_path, listed):
    folder = tmp_path / "set"
    write(folder, "ant/1.png")
    source, _ = opened(folder, listed)
    file = source.listing_file(tmp_path / "kept")
    content = file.read_bytes()
    for damaged in (b"", content[:-30], b"no archive"):
        file.write_bytes(damaged)
        assert kept_listing(file) == {}
        assert opened(folder, listed)[0].paths == ["ant/1.png"]
    folder.rename(tmp_path / "moved")
    assert opened(tmp_path / "moved", listed)[1] == ["ant", "moved"]
    write(tmp_path / "set", "cow/2.png")
    assert opened(tmp_path / "set", listed)[0].paths == ["cow/2.png"]
