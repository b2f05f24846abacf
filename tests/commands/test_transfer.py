"""`keras-adasim transfer`: one table of several folders."""

import json

from tests.commands.protocols import color_folder
from tests.commands.test_console import run


def test_one_table_of_several_folders(embedder, labeled_images, tmp_path, capsys):
    color_folder(tmp_path / "two", per_class=10, classes=("a", "b"))
    flags = [f"--data_dir={labeled_images}", f"--data_dir={tmp_path / 'two'}"]
    flags += ["--k=3", f"--out={tmp_path / 'out'}", "--backbone=colors"]
    status, out, err = run(capsys, "transfer", *flags)
    assert status == 0, err
    assert "4 of 20 images are held out" in out
    lines = [line.split() for line in out.splitlines()]
    row = [str(labeled_images), "18", "6", "100.00", "±", "0.00", "100.00"]
    assert row in [line[:7] for line in lines]
    found = json.loads((tmp_path / "out" / "transfer.json").read_text())
    assert [(each["train"], each["test"]) for each in found["results"]] == [(18, 6), (16, 4)]
    assert [each["knn"] for each in found["results"]] == [1.0, 1.0]


def test_refused_in_one_line(embedder, labeled_images, capsys):
    for flags, message in (
        ([], "either --data_dir or --tfds"),
        ([f"--data_dir={labeled_images}", "--k=19"], f"can vote in {labeled_images}"),
        ([f"--data_dir={labeled_images}", "--tfds=none_such", "--k=3"], "none_such"),
    ):
        status, _, err = run(capsys, "transfer", "--backbone=colors", *flags)
        assert (status, err.count("\n")) == (2, 1)
        assert message in err
    assert not list(embedder.folder.iterdir())
