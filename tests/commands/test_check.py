"""`keras-adasim check`: a table, the bad files, and a status that tells of them."""

import os

import numpy as np
from PIL import Image

from tests.commands.test_console import run
from tests.data.image_files import fill_folder


def test_a_sound_folder(tmp_path, capsys):
    fill_folder(tmp_path / "cat")
    fill_folder(tmp_path / "dog", suffix=".png")
    status, out, err = run(capsys, "check", f"--data_dir={tmp_path}")
    assert status == 0, err
    assert "8 files looked at" in out
    assert "no file is bad" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["JPEG", "RGB", "8", "4", "24/28/40", "20/25/30", "0"] in lines
    assert ["PNG", "RGB", "8", "4", "24/28/40", "20/25/30", "0"] in lines


def test_bad_files_are_listed(tmp_path, capsys):
    fill_folder(tmp_path)
    contents = (tmp_path / "000.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(contents[:-50] + contents[-2:])
    (tmp_path / "text.png").write_text("no image")
    os.symlink("/nowhere.jpg", tmp_path / "link.jpg")
    for name in ("a.heic", "b.heic", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    Image.new("RGBA", (3, 4)).save(tmp_path / "alpha.png")
    status, out, _ = run(capsys, "check", f"--data_dir={tmp_path}")
    assert status == 1
    for line in (
        "left out by suffix: 2 .heic, 1 .txt (.heic: convert to JPEG",
        "with an alpha channel, which is dropped: 1",
        "bad: 3",
        "  cut.jpg: Corrupt JPEG data",
        "  link.jpg: a link to nothing",
        "  text.png: 8 bytes of no known image format",
    ):
        assert line in out
    status, out, _ = run(capsys, "check", f"--data_dir={tmp_path}", "--look=headers")
    assert status == 1
    assert "bad: 2" in out
    assert "by header and end alone: 6" in out


def test_folders_of_arrays(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 13), np.uint8))
    (tmp_path / "b.npy").write_bytes(b"")
    flags = f"--data_dir={tmp_path}", "--channels=13"
    status, out, _ = run(capsys, "check", *flags)
    assert status == 1
    assert "13 x uint8" in out
    assert "  b.npy: " in out
    status, _, err = run(capsys, "check", f"--data_dir={tmp_path}")
    assert (status, err.count("\n")) == (2, 1)
    assert "--channels" in err


def test_a_missing_folder_is_a_line(tmp_path, capsys):
    status, _, err = run(capsys, "check", f"--data_dir={tmp_path}/no")
    assert (status, err.count("\n")) == (2, 1)
