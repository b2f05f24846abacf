import pathlib

import pytest

from keras_adasim.data.archives import find_archives, is_archive, own_archives, words_of
from tests.data.tar_files import write_tar


@pytest.fixture
def shards(tmp_path):
    for number in range(8, 12):
        write_tar(tmp_path / f"train-{number:03d}.tar", {"1.jpg": b""})
    write_tar(tmp_path / "more/b.TAR", {"1.jpg": b""})
    write_tar(tmp_path / ".hidden.tar", {"1.jpg": b""})
    return tmp_path


def test_a_folder_is_searched_with_all_below_it(shards):
    found = find_archives(shards)
    names = ["more/b.TAR", *(f"train-{n:03d}.tar" for n in range(8, 12))]
    assert (found.root, found.names) == (shards, names)
    assert own_archives(shards) == names[1:]
    (shards / "gone.tar").symlink_to("/nowhere.tar")
    assert find_archives(shards).left_out == {"gone.tar": "a link to nothing"}


def test_lists_and_names_with_braces(shards):
    found = find_archives(f"{shards}/train-{{009..011}}.tar")
    assert (found.root, found.names) == (shards, [f"train-{n:03d}.tar" for n in (9, 10, 11)])
    found = find_archives([shards / "train-008.tar", shards / "more/b.TAR"])
    assert (found.root, found.names) == (shards, ["train-008.tar", "more/b.TAR"])
    assert find_archives(shards / "more/b.TAR").root == shards / "more"
    assert find_archives(found) is found


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("train-{008..013}.tar", FileNotFoundError, r"train-012.tar, .*train-013.tar, 2 of 6"),
        ("train-{3..1}.tar", ValueError, r"range that rises. Received: \{3\.\.1\}"),
        ("none", FileNotFoundError, "nothing of that name"),
        (["train-008.tar", "train-008.tar"], ValueError, "each archive once"),
        ([], ValueError, r"at least one archive. Received: path=\[\]"),
        ([3], ValueError, "path=3"),
        ("x.tar.gz", ValueError, "aren't compressed, .*gunzip"),
    ],
)
def test_what_is_wrong_is_named(shards, monkeypatch, path, error, message):
    monkeypatch.chdir(shards)
    with pytest.raises(error, match=message):
        find_archives(path)


def test_folders_of_compressed_archives_or_none(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"but with others: 1 \.txt"):
        find_archives(tmp_path)
    (tmp_path / "a.tgz").touch()
    with pytest.raises(ValueError, match=r"Received: a\.tgz"):
        find_archives(tmp_path)


def test_names(tmp_path):
    assert is_archive(pathlib.Path("a/b.tar"))
    assert is_archive("a-{0..3}.TAR.GZ")
    assert not is_archive("a/tar")
    (tmp_path / "folder.tar").mkdir()
    assert not is_archive(tmp_path / "folder.tar")
    assert words_of("x/imagenet1k-validation-00.tar") >= {"validation", "imagenet"}
    assert words_of("Train_003.tar") >= {"train"}
    assert words_of("train003.tar") >= {"train"}
    assert "train" not in words_of("training-trainer.tar")
