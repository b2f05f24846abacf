"""A run that goes on after its folder of images was changed."""

import pathlib
import shutil

import keras
import numpy as np
import pytest

from keras_adasim.callbacks import Backup
from keras_adasim.data import ImageFolder
from tests.pretraining.runs import IGNORED, content, make_images, pretrain, quick

pytestmark = pytest.mark.filterwarnings(IGNORED)


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick():
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder of images, and the run of two epochs on them."""
    root = tmp_path_factory.mktemp("finished")
    make_images(root / "images", splits=("train",))
    pretrain(root / "images", root / "run", window=2)
    return root


@pytest.fixture
def root(finished, tmp_path):
    """Both, moved: nothing has changed by that."""
    return pathlib.Path(shutil.copytree(finished, tmp_path / "root"))


def new_image(path, seed=5):
    pixels = np.random.default_rng(seed).integers(0, 256, (10, 10, 3))
    keras.utils.save_img(path, pixels, scale=False)


def rename_a_file(folder):
    (folder / "dark/3.png").rename(folder / "dark/zebra.png")


def swap_two(folder):
    (folder / "dark/1.png").rename(folder / "aside")
    (folder / "bright/2.png").rename(folder / "dark/1.png")
    (folder / "aside").rename(folder / "bright/2.png")


def replace_the_content(folder):
    new_image(folder / "dark/5.png")


def rename_a_class(folder):
    (folder / "bright").rename(folder / "vivid")


def add_one_and_remove_one(folder):
    new_image(folder / "dark/00.png")
    (folder / "bright/9.png").unlink()


def all_of_them(folder):
    for edit in EDITS:
        edit(folder)


EDITS = {
    rename_a_file: "1 moved",
    swap_two: "2 moved",
    replace_the_content: "1 changed",
    add_one_and_remove_one: "1 added, 1 removed",
    rename_a_class: "12 moved",
}


def restored(root):
    """Bank and window as a run's checkpoint is restored, before its first step, by image."""
    source, tables = ImageFolder(root / "images" / "train"), []
    names = [(source.path / path).read_bytes() for path in source.paths]

    class Look(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            records = self.model.pairing.records(np.arange(len(names)))
            tables.append(by_content(self.model.bank.features.numpy(), *records, names))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(root / "images", root / "run", window=2, epochs=3, callbacks=[Look()])
    return tables[0]


def by_content(rows, ids, similarities, names):
    """Of every image, as its bytes, its row in the bank and its records, an epoch each."""
    return {
        name: (
            rows[i],
            [
                {names[j]: s for j, s in zip(*epoch, strict=True) if j >= 0}
                for epoch in zip(ids[i], similarities[i], strict=True)
            ],
        )
        for i, name in enumerate(names)
    }


@pytest.mark.slow
def test_a_run_and_images_that_were_moved_go_on_without_a_word(root, capsys):
    pretrain(root / "images", root / "run", window=2, dry_run=True)
    assert "changes" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "edit",
    [*(pytest.param(edit, marks=pytest.mark.large) for edit in EDITS), all_of_them],
    ids=lambda edit: edit.__name__,
)
def test_what_is_known_of_an_image_stays_its_own(finished, root, edit, capsys):
    """The run went on with bank and window rows of other images."""
    before = restored(finished)
    edit(root / "images" / "train")
    capsys.readouterr()
    after = restored(root)
    printed = EDITS.get(edit, "1 added, 1 removed, 1 changed, 13 moved")
    assert f"changes       {printed}, of 24 images" in capsys.readouterr().out
    for name, (row, records) in after.items():
        old_row, old_records = before.get(name, (np.zeros_like(row), [{}, {}]))
        np.testing.assert_array_equal(row, old_row)
        for epoch, old in zip(records, old_records, strict=True):
            expected = {n: s for n, s in old.items() if n in after}
            assert epoch == pytest.approx(expected, abs=1e-6)


@pytest.mark.large
def test_the_schedule_goes_on_by_epochs(root):
    (root / "images/train/dark/0.png").unlink()
    for i in range(20):
        name = root / f"images/train/dark/more{i}.png"
        keras.utils.save_img(name, np.full((10, 10, 3), 7 * i), scale=False)
    result = pretrain(root / "images", root / "run", window=2, epochs=3)
    assert result["epochs"] == 3
    assert content(root / "run")["settings.json"]["images"] == 43
    checkpoint = Backup(root / "run" / "checkpoints").checkpoints.newest()
    assert checkpoint.manifest["images"] == 43
    arrays = dict(checkpoint.group("optimizer"))
    (iterations,) = (value for name, value in arrays.items() if name.endswith("iteration"))
    assert iterations == 3 * (43 // 12)


def test_more_than_half_changed_is_refused_with_the_flag_that_insists(root):
    for i in range(13):
        name = "bright/0.png" if i == 12 else f"dark/{i}.png"
        new_image(root / "images/train" / name, seed=i)
    with pytest.raises(ValueError, match=r"half of the 24 images.*: 11 of them.*`accept_changes`"):
        pretrain(root / "images", root / "run", window=2, dry_run=True)
    pretrain(root / "images", root / "run", window=2, dry_run=True, accept_changes=True)
