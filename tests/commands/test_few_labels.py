"""`keras-adasim few_labels`: subsets, their files, and what is learned from them."""

import json

import pytest

from tests.commands.test_console import run
from tests.pretraining.runs import IGNORED, eagerly


def test_a_table_json_and_the_lists_of_images(embedder, labeled_images, tmp_path, capsys):
    flags = ["--backbone=colors", f"--data_dir={labeled_images}", f"--out={tmp_path / 'out'}"]
    status, out, err = run(capsys, "few_labels", *flags, "--share=0.2", "--per_class=3")
    assert status == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert ["20%", "3", "1", "100.00", "±", "0.00"] in lines
    lists = json.loads((tmp_path / "out" / "few_labels_images.json").read_text())
    assert [len(names) for names in lists.values()] == [3, 9]
    assert {name.split("/")[0] for name in lists["20%"]} == {"blue", "green", "red"}
    assert set(lists["20%"]) < set(lists["3 per class"])
    results = json.loads((tmp_path / "out" / "few_labels.json").read_text())["results"]
    assert [(each["subset"], each["top1"]) for each in results] == [
        ("20%", 1.0),
        ("3 per class", 1.0),
    ]


def test_without_a_test_set_a_fifth_is_held_out(embedder, labeled_images, capsys):
    """The features of all images are the same that leave-one-out has computed."""
    flags = ["--backbone=colors", f"--data_dir={labeled_images / 'train'}"]
    assert run(capsys, "knn", *flags, "--k=2")[0] == 0
    status, out, err = run(capsys, "few_labels", *flags, "--per_class=2", "--per_class=9")
    assert status == 0, err
    assert "9 per class: 3 of 3 classes have fewer, down to 5, of which all are taken" in out
    assert "3 of 18 images are held out, by seed 0" in out
    assert out.count("18 features from the cache") == 2
    assert "15 training images, 3 test images" in out


def test_refused_in_one_line(embedder, labeled_images, capsys):
    for flag, message in (("--share=1.5", "share=1.5"), ("--per_class=0", "per_class=0")):
        flags = ["--backbone=colors", f"--data_dir={labeled_images}", flag]
        status, _, err = run(capsys, "few_labels", *flags)
        assert (status, err.count("\n")) == (2, 1)
        assert message in err


@pytest.mark.slow
@pytest.mark.filterwarnings(IGNORED)
def test_fine_tuned_beside_it(embedder, pretrained, labeled_images, tmp_path, capsys):
    flags = ["--backbone=colors", f"--data_dir={labeled_images}", f"--out={tmp_path / 'out'}"]
    flags += ["--per_class=2", "--per_class=3", "--finetune", "--epochs=2"]
    with eagerly():
        status, out, err = run(capsys, "few_labels", *flags)
    assert status == 0, err
    assert "fine-tuning on 2 per class, 6 images" in out
    assert "fine-tuned top-1 %" in out
    results = json.loads((tmp_path / "out" / "few_labels.json").read_text())["results"]
    found = [each["finetune"] for each in results]
    assert [each["images"] for each in found] == [
        {"train": number, "validation": 0, "test": 6} for number in (6, 9)
    ]
    assert all(0 <= each["top1"] <= 1 and each["best_epoch"] == 2 for each in found)


def test_epochs_without_fine_tuning_are_refused(embedder, labeled_images, capsys):
    flags = ["--backbone=colors", f"--data_dir={labeled_images}", "--epochs=3"]
    status, _, err = run(capsys, "few_labels", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert "--finetune" in err
