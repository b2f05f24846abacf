"""`keras-adasim video_segmentation`, by a backbone of the patches' mean colors."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_adasim.commands import folder_protocol, video_segmentation, video_sequences
from keras_adasim.data.masks import read_mask
from keras_adasim.evaluation.video_segmentation import propagate_labels, video_scores
from tests.commands.folders import changed, patch_colors, refused
from tests.commands.test_console import run

FRAMES, MASKS = "JPEGImages/480p/cat", "Annotations/480p/cat"


def test_a_table_and_json_as_by_the_functions(network, small_sets, tmp_path, capsys):
    folder = small_sets / "video"
    flags = ["--backbone=colors", f"--data_dir={folder}", "--image_size=36", "--radius=3"]
    flags += [f"--out={tmp_path / 'out'}"]
    status, out, err = run(capsys, "video_segmentation", *flags)
    assert status == 0, err
    # 36 x 48 pixels, so nothing is resized.
    frames = [np.asarray(Image.open(path)) for path in sorted((folder / FRAMES).iterdir())]
    patches = np.stack(frames).reshape(4, 9, 4, 12, 4, 3).mean(axis=(2, 4))
    truths = np.stack([read_mask(path) for path in sorted((folder / MASKS).iterdir())])
    expected = video_scores(propagate_labels(patches, truths[0], radius=3), truths)
    found = json.loads((tmp_path / "out" / "video_segmentation.json").read_text())
    (cat,) = found["results"]["sequences"]
    np.testing.assert_allclose(cat["j"], expected["j"], atol=0.01)
    np.testing.assert_allclose(cat["f"], expected["f"], atol=0.01)
    assert (cat["objects"], cat["frames"], found["results"]["objects"]) == ([1, 2], 4, 2)
    assert found["results"]["j_and_f"] == pytest.approx(expected["mean"], abs=0.01)
    assert f"all       4       2        {100 * found['results']['j']:.2f} ± " in out
    assert run(capsys, "video_segmentation", *flags)[1].count("features from the cache") == 1
    assert json.loads((tmp_path / "out" / "video_segmentation.json").read_text()) == found


def test_masks_of_one_object_and_lists_of_sequences(network, small_sets, tmp_path, capsys):
    """DAVIS 2016 has masks of 0 and 255, in which 255 is no void."""

    def change(copy):
        for path in (copy / MASKS).iterdir():
            Image.fromarray(np.where(read_mask(path) > 0, 255, 0).astype(np.uint8)).save(path)
        shutil.copytree(copy / FRAMES, copy / "JPEGImages/480p/dog")
        shutil.copytree(copy / MASKS, copy / "Annotations/480p/dog")

    folder = changed(small_sets / "video", tmp_path, change)
    flags = ["--backbone=colors", f"--data_dir={folder}", "--image_size=16"]
    out = run(capsys, "video_segmentation", *flags)[1]
    assert "cat       4       1 " in out
    assert "dog" not in out
    (folder / "some.txt").write_text("dog\ncat\n")
    out = run(capsys, "video_segmentation", *flags, f"--image_set={folder / 'some.txt'}")[1]
    assert "1/2 dog: J " in out
    shutil.rmtree(folder / "ImageSets")
    out = run(capsys, "video_segmentation", *flags)[1]
    assert "all 2 sequences" in out
    assert "all       8       2 " in out


def test_void_beside_other_labels_is_background(small_sets, tmp_path):
    paths = []
    for i, label in enumerate((1, 255)):
        mask = np.array([[0, label, 2, 255]], np.uint8)
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(mask).save(paths[-1])
    sequence = video_sequences.Sequence("x", None, paths, (1, 4))
    np.testing.assert_array_equal(sequence.truths(), [[[0, 1, 2, 0]], [[0, 0, 2, 0]]])


def test_frames_keep_the_ratio_of_their_sides():
    for fixed, expected in ((None, [(16, 28), (28, 16), (16, 16)]), (8, [(8, 8)] * 3)):
        network = patch_colors(size=fixed)
        protocol = video_segmentation.Follow(
            folder_protocol.FolderProtocol("", network, None, None, {}), fixed or 16
        )
        sizes = ((480, 854), (854, 480), (5, 5))
        assert [protocol.sides(*size) for size in sizes] == expected


def test_quick(network, small_sets, capsys, monkeypatch):
    monkeypatch.setattr(video_segmentation, "QUICK_FRAMES", 3)
    flags = ["--backbone=colors", f"--data_dir={small_sets / 'video'}", "--quick"]
    assert "cat       3       2 " in run(capsys, "video_segmentation", *flags)[1]


def without_a_mask(copy):
    (copy / MASKS / "00002.png").unlink()


def another_name(copy):
    (copy / MASKS / "00002.png").rename(copy / MASKS / "2.png")


def another_size(copy):
    Image.fromarray(np.zeros((36, 40), np.uint8)).save(copy / MASKS / "00002.png")


def no_object(copy):
    Image.fromarray(np.zeros((36, 48), np.uint8)).save(copy / MASKS / "00000.png")


def colored(copy):
    Image.fromarray(np.zeros((36, 48, 3), np.uint8)).save(copy / MASKS / "00000.png")


def two_frames(copy):
    for i in (2, 3):
        (copy / MASKS / f"0000{i}.png").unlink()
        (copy / FRAMES / f"0000{i}.jpg").unlink()


def no_frames(copy):
    for path in (copy / FRAMES).iterdir():
        path.unlink()


def another_sequence(copy):
    (copy / "ImageSets/2017/val.txt").write_text("cat\nbear\n")


def no_names(copy):
    (copy / "ImageSets/2017/val.txt").write_text("\n")


def no_masks(copy):
    shutil.rmtree(copy / "Annotations")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_mask, "4 frames in"),
        (another_name, "00002 is one without the other"),
        (another_size, "36 x 40 pixels, beside"),
        (no_object, "none in"),
        (colored, "to be a mask, a PNG with a palette"),
        (two_frames, "three frames or more. Received: 2"),
        (no_frames, "--data_dir to be a folder with images"),
        (another_sequence, "a folder bear/"),
        (no_names, "Received: none in"),
        (no_masks, "a folder Annotations/ in --data_dir"),
    ],
)
def test_folders_that_do_not_fit(network, small_sets, tmp_path, capsys, change, message):
    folder = changed(small_sets / "video", tmp_path, change)
    flags = ["--backbone=colors", f"--data_dir={folder}"]
    refused(capsys, run, "video_segmentation", flags, message)
    assert not list(network.folder.iterdir())


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--last_frames=-1", "last_frames=-1"),
        ("--radius=-1", "radius=-1"),
        ("--topk=0", "topk=0"),
        ("--temperature=0", "temperature=0"),
        ("--temperature=nan", "temperature=nan"),
        ("--resolution=Full", "resolution=Full"),
        ("--image_set=/nowhere.txt", "/nowhere.txt, which is not there"),
        ("--image_size=6", "--image_size to be a multiple of 4"),
    ],
)
def test_flags_are_refused_in_one_line(network, small_sets, capsys, flag, message):
    flags = ["--backbone=colors", f"--data_dir={small_sets / 'video'}", flag]
    refused(capsys, run, "video_segmentation", flags, message)
