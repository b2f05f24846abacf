"""What has become of images: found out from keys, fingerprints and a few contents.

The oracle reads every image: an image now is the one that had its content.
"""

import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim.data import (
    ArraySource,
    ImageFolder,
    Inventory,
    JoinedSource,
    Source,
    Subset,
    inventory,
)

NAMES = [f"{name}/{i}.png" for name in ("cat", "cow", "dog") for i in range(10)]


def write(path, content):
    """No images: an inventory doesn't decode. All have the same size, and the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{content:>20}")
    os.utime(path, (1, 1))


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        write(tmp_path / "set" / name, name)
    return tmp_path / "set"


@pytest.fixture(params=[256, 8, 2], ids=lambda n: f"{n} samples")
def samples(request, monkeypatch):
    monkeypatch.setattr(inventory, "SAMPLES", request.param)
    return request.param


def content_of(source):
    return [(source.path / path).read_text() for path in source.paths]


def previous_by_content(before, source):
    return [before.index(c) if c in before else -1 for c in content_of(source)]


def rename_a_file(folder):
    (folder / "cat/3.png").rename(folder / "cat/zebra.png")


def rename_a_class(folder):
    (folder / "cow").rename(folder / "zebu")


def swap(folder, one="cat/1.png", two="dog/2.png"):
    (folder / one).rename(folder / "aside")
    (folder / two).rename(folder / one)
    (folder / "aside").rename(folder / two)


def swap_two_classes(folder):
    swap(folder, "cat", "dog")


def turn_around(folder):
    for i in range(3):
        (folder / f"cat/{i}.png").rename(folder / f"aside{i}")
    for i in range(3):
        (folder / f"aside{i}").rename(folder / f"cat/{(i + 1) % 3}.png")


def add_one_and_remove_one(folder):
    write(folder / "cat/33.png", "another")
    (folder / "dog/0.png").unlink()


def replace_content(folder):
    for name in ("cat/0.png", "cow/5.png"):
        (folder / name).unlink()
        (folder / name).write_text("another " + name)


def write_anew_in_place(folder):
    """Of the size that it had, and the number."""
    (folder / "cat/4.png").write_text(f"{'another':>20}")


def move_over_another(folder):
    (folder / "cat/1.png").replace(folder / "dog/1.png")


def move_and_put_another_in_its_place(folder):
    (folder / "cat/1.png").rename(folder / "dog/77.png")
    write(folder / "cat/1.png", "another")
    os.utime(folder / "cat/1.png", (2, 2))


def touch(folder):
    os.utime(folder / "cat/0.png", (7, 7))  # One that is always among the samples.


EDITS = {
    rename_a_file: "1 moved",
    rename_a_class: "10 moved",
    swap: "2 moved",
    swap_two_classes: "20 moved",
    turn_around: "3 moved",
    add_one_and_remove_one: "1 added, 1 removed",
    replace_content: "2 changed",
    write_anew_in_place: "1 changed",
    move_over_another: "1 removed, 1 moved",
    move_and_put_another_in_its_place: "1 added, 1 moved",
    touch: "",
}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_every_image_is_found_again(folder, samples, edit):
    source = ImageFolder(folder)
    before, contents = Inventory.of(source), content_of(source)
    edit(folder)
    source = ImageFolder(folder)
    changes = Inventory.of(source).changes_since(before)
    assert changes.previous.tolist() == previous_by_content(contents, source)
    assert bool(changes) == bool(EDITS[edit])
    if EDITS[edit]:
        assert str(changes) == f"{EDITS[edit]}, of 30 images"
    assert changes.num_before == changes.kept + changes.removed + changes.changed
    assert len(source) == changes.kept + changes.added + changes.changed


@pytest.mark.parametrize("copy_file", [shutil.copy2, shutil.copyfile], ids=["times", "no_times"])
def test_a_copied_folder_is_the_same(folder, tmp_path, samples, copy_file):
    before = Inventory.of(ImageFolder(folder))
    source = ImageFolder(shutil.copytree(folder, tmp_path / "copy", copy_function=copy_file))
    assert not Inventory.of(source).changes_since(before)
    shutil.rmtree(folder)
    assert not Inventory.of(source).changes_since(before)


def test_in_a_copied_folder_changes_are_found_where_contents_are_known(folder, tmp_path):
    source = ImageFolder(folder)
    before, contents = Inventory.of(source), content_of(source)
    copy = pathlib.Path(shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile))
    swap(copy)
    rename_a_class(copy)
    write_anew_in_place(copy)
    source = ImageFolder(copy)
    changes = Inventory.of(source).changes_since(before)
    assert changes.previous.tolist() == previous_by_content(contents, source)


def test_a_few_files_of_another_time_are_changed(folder, monkeypatch):
    """Their size is the same, and their contents were never looked at."""
    monkeypatch.setattr(inventory, "SAMPLES", 2)
    before = Inventory.of(ImageFolder(folder))
    for name in NAMES[4:8]:
        os.utime(folder / name, (9, 9))
    source = ImageFolder(folder)
    changes = Inventory.of(source).changes_since(before)
    assert str(changes) == "4 changed, of 30 images"


@pytest.mark.parametrize("copied", [False, True])
def test_where_one_content_is_another_none_is_trusted(folder, tmp_path, copied, monkeypatch):
    monkeypatch.setattr(inventory, "SAMPLES", 3)
    before = Inventory.of(ImageFolder(folder))
    if copied:
        folder = pathlib.Path(
            shutil.copytree(folder, tmp_path / "c", copy_function=shutil.copyfile)
        )
    write(folder / NAMES[-1], "another")  # In place, with the time that it had.
    source = ImageFolder(folder)
    changes = Inventory.of(source).changes_since(before)
    assert changes.kept == 2  # The other samples.
    assert changes.changed == 28
    assert changes.doubt == "dog/9.png has another content"


def test_a_class_in_the_place_of_another_is_not_taken_for_it(folder, tmp_path, samples):
    """Files of the same names, size and time are not the same files."""
    before = Inventory.of(ImageFolder(folder))
    for i in range(10):
        write(folder / f"zebu/{i}.png", f"zebu {i}")
    shutil.rmtree(folder / "cow")
    source = ImageFolder(folder)
    changes = Inventory.of(source).changes_since(before)
    assert str(changes) == "10 added, 10 removed, of 30 images"


def test_other_images_under_the_same_names_are_others(folder):
    before = Inventory.of(ImageFolder(folder))
    for name in NAMES:
        write(folder / name, "another " + name)
    source = ImageFolder(folder)
    assert str(Inventory.of(source).changes_since(before)) == "30 changed, of 30 images"


def test_a_second_folder_and_a_smaller_set(folder, tmp_path):
    source = ImageFolder(folder)
    before = Inventory.of(source)
    write(tmp_path / "more/cat/1.png", "more")
    joined = JoinedSource([source, ImageFolder(tmp_path / "more")])
    changes = Inventory.of(joined).changes_since(before)
    assert changes.previous.tolist() == [*range(30), -1]
    subset = Subset(source, [20, 3])
    assert Inventory.of(subset).changes_since(before).previous.tolist() == [20, 3]


def test_arrays_are_their_content():
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), np.uint8)
    before = Inventory.of(ArraySource(images))
    order = [7, 3, 19]
    source = ArraySource(np.concatenate([images[order], images[:1] + 1]))
    changes = Inventory.of(source).changes_since(before)
    assert changes.previous.tolist() == [*order, -1]
    assert str(changes) == "1 added, 17 removed, of 20 images"


class Listed(Source):
    """Images without names of their own."""

    encoded = True

    def __init__(self, contents):
        self.contents = contents

    def __len__(self):
        return len(self.contents)

    def read(self, index):
        return tf.constant(self.contents)[index]


def test_places_are_keys_only_while_the_order_stays(monkeypatch):
    monkeypatch.setattr(inventory, "SAMPLES", 5)
    contents = [f"image {i}" for i in range(20)]
    before = Inventory.of(Listed(contents))
    source = Listed([*contents, "more"])
    assert str(Inventory.of(source).changes_since(before)) == "1 added, of 20 images"
    source = Listed(["first", *contents])
    changes = Inventory.of(source).changes_since(before)
    assert changes.kept <= 5
    assert changes.doubt == "image 0 has another content"


def test_a_file_that_vanished_is_no_content(folder):
    source = ImageFolder(folder)
    before = Inventory.of(source)
    (folder / NAMES[0]).unlink()
    now = Inventory.of(source)  # Still listed.
    assert now.contents[0] == 0
    assert str(now.changes_since(before)) == "1 changed, of 30 images"
