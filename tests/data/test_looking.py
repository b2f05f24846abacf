"""A look at all files: by which means, in parallel, and once only."""

import numpy as np
import pytest

from keras_adasim import data
from keras_adasim.data import looking
from tests.data.image_files import fill_folder


@pytest.fixture
def folder(tmp_path):
    """Four sound files, and a JPEG file that is damaged within."""
    fill_folder(tmp_path)
    contents = (tmp_path / "000.jpg").read_bytes()
    (tmp_path / "bad.jpg").write_bytes(contents[:-50] + contents[-2:])
    return tmp_path


def watched(source, monkeypatch):
    """A list of the indices that are looked at from now on, and how."""
    calls, look = [], source.look
    monkeypatch.setattr(source, "look", lambda i, full: calls.append((i, full)) or look(i, full))
    return calls


@pytest.mark.parametrize(("how", "full"), [("auto", True), ("full", True), ("headers", False)])
def test_all_files_are_looked_at(folder, how, full):
    looks = data.look_at(data.ImageFolder(folder), how)
    assert len(looks) == 5
    assert (looks.full == full).all()
    assert list(looks.bad) == ([4] if full else [])
    assert list(looks.reasons) == list(looks.bad)
    ((kind, indices),) = looks.by_kind()
    assert kind == ("JPEG", "RGB", 8, 1)
    assert list(indices) == ([0, 1, 2, 3] if full else [0, 1, 2, 3, 4])
    assert list(looks.height[:4]) == [24, 30, 26, 40]


def test_too_many_are_looked_at_by_their_headers(folder, monkeypatch):
    monkeypatch.setattr(looking, "MOST_SECONDS", 0)
    monkeypatch.setattr(looking, "SAMPLE", 2)
    assert data.look_at(data.ImageFolder(folder)).full.sum() == 2


def test_only_what_is_new_or_changed_is_looked_at_again(folder, tmp_path_factory, monkeypatch):
    file = tmp_path_factory.mktemp("run") / "looks.npz"
    first = data.look_at(data.ImageFolder(folder), "full")
    first.write(file)
    (folder / "002.jpg").write_bytes(b"")
    (folder / "new.jpg").write_bytes((folder / "000.jpg").read_bytes())
    (folder / "001.jpg").unlink()
    source = data.ImageFolder(folder)
    calls = watched(source, monkeypatch)
    looks = data.look_at(source, "auto", data.Looks.read(file))
    assert {index for index, _ in calls} - {0, len(source) - 1} == {1}
    assert source.paths == ["000.jpg", "002.jpg", "003.jpg", "bad.jpg", "new.jpg"]
    assert looks.reasons == {1: "an empty file", 3: first.reasons[4]}
    assert list(looks.height) == [24, 0, 40, 0, 24]


def test_a_full_look_does_not_rely_on_headers(folder, monkeypatch):
    source = data.ImageFolder(folder)
    headers = data.look_at(source, "headers")
    assert list(data.look_at(source, "auto", headers).bad) == []
    assert list(data.look_at(source, "full", headers).bad) == [4]


def test_a_damaged_file_of_looks_is_passed_over(folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "looks.npz"
    assert data.Looks.read(file) is None
    data.look_at(data.ImageFolder(folder)).write(file)
    for damaged in (file.read_bytes()[:-100], b"", b"PK\x03\x04" + bytes(40)):
        file.write_bytes(damaged)
        assert data.Looks.read(file) is None


def test_sources_of_sources_are_looked_at(folder):
    source = data.ImageFolder(folder)
    looks = data.look_at(data.Subset(data.JoinedSource([source, source]), [4, 0, 9]))
    assert list(looks.bad) == [0, 2]


def test_arrays_in_memory_are_not():
    assert data.look_at(data.ArraySource(np.zeros((2, 4, 4, 3), np.uint8))) is None


def test_a_wrong_way_is_named(folder):
    with pytest.raises(ValueError, match="Expected `how` to be one of"):
        data.look_at(data.ImageFolder(folder), "quick")
