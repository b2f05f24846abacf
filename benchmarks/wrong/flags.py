"""Every flag of every command, with what is typed after it."""

import contextlib
import io
import re

import keras
import numpy as np

import keras_adasim as ka
from benchmarks import make_datasets
from benchmarks.wrong.arguments import axes_with, kind_of_setting
from benchmarks.wrong.asking import quiet
from benchmarks.wrong.values import FINE_TUNING
from keras_adasim.commands import (
    convert,
    copy_detection,
    dense,
    embed,
    export,
    few_labels,
    finetune,
    gallery,
    knn,
    linear,
    pretrain,
    report,
    retrieval,
    transfer,
    video_segmentation,
)
from keras_adasim.pretraining.settings import SETTINGS

# What is typed after a flag's `=`.
TYPED = {
    "count": ("nan", "inf", "-1", "0", "1.5", "abc", "", "1e3", "99999999999999999999999"),
    "count from 0": ("nan", "inf", "-1", "1.5", "abc", "", "99999999999999999999999"),
    "number": ("nan", "inf", "-inf", "abc", "", "1,2"),
    "positive": ("nan", "inf", "-1", "0", "abc", ""),
    "not negative": ("nan", "inf", "-1", "abc", ""),
    "share": ("nan", "inf", "-0.1", "1.1", "abc", ""),
    "share below 1": ("nan", "inf", "-0.1", "1", "1.5", "abc", ""),
    "share above 0": ("nan", "inf", "0", "1.1", "abc", ""),
    "rate": ("nan", "inf", "-1", "0", "abc"),
    "switch": ("2", "nan", "maybe", ""),
    "choice": ("unknown", "3", "nan", ""),
    "range": ("", "0.5", "0.9,0.5", "nan,1", "a,b", "-0.5,0.5", "0.1,0.2,0.3", "0,1", "0.5,inf"),
    "value range": ("", "0.5", "0.9,0.5", "nan,1", "a,b", "0.1,0.2,0.3", "0.5,inf"),
    "three numbers": ("", "0.5", "nan,nan,nan", "a,b,c", "0.5,0.5", "inf,inf,inf"),
    "layers": ("unknown", "3"),
    "unset": ("/nowhere/at/all.npz", "unknown"),
    "folder": ("", "/nowhere/at/all"),
    "place": ("",),
    "width": ("nan", "-1", "0", "1", "1.5", "abc", "", "99999999999999999999999"),
}
# Values of a right type that can't work with the others of the run.
TOGETHER = (
    ("patch_size", "7", ()),
    ("image_size", "30", ("--patch_size=8",)),
    ("num_heads", "5", ("--backbone=vit_mini",)),
    ("window", "99999999999", ()),
    ("topk", "50", ()),
    ("batch_size", "50", ()),
    ("limit", "50", ()),
    ("limit", "1", ()),
    ("knn_k", "50", ()),
    ("knn_images", "1", ()),
    ("warmup_epochs", "9", ("--epochs=3",)),
    ("warmup_teacher_temperature_epochs", "9", ("--epochs=3",)),
    ("channels", "4", ()),
    ("mean", "0.5", ()),
    ("gradient_accumulation_steps", "50", ()),
    ("gradient_accumulation_steps", "3", ("--batch_size=4",)),
    ("batch_size", "1", ("--objective=simclr",)),
    ("num_local", "2", ("--objective=byol",)),
    ("queue_size", "2", ("--objective=nnclr", "--batch_size=4")),
    ("freeze_last_layer_epochs", "2", ("--objective=byol",)),
    ("weights_key", "teacher", ()),
    ("name", "x", ("--out=y",)),
    ("tfds_dir", "/tmp", ()),
    ("tfds", "nothing_known", ()),
    ("devices", "3", ("--batch_size=4",)),
    ("drop_path_rate", "1", ()),
    ("local_scale", "1.5,2", ("--num_local=2",)),
)


class Flag:
    """A flag of a command, which is called in this process.

    Args:
        main: The command's function.
        name: The flag's name.
        right: Flags of a right command.
        typed: What is typed after its `=`.
    """

    def __init__(self, main, name, right, typed):
        self.main, self.flag, self.right, self.typed = main, name, right, typed
        self.name = main.__module__.rpartition(".")[2]

    def cases(self):
        """Yields tuples of the flag's name and what is typed."""
        for value in self.typed:
            yield f"--{self.flag}", "flag", value

    def answer(self, name, value):
        """What is said of a wrong flag: outcome and message."""
        errors = io.StringIO()
        others = [word for word in self.right if not word.startswith(f"{name}=")]
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
                self.main([*others, f"{name}={value}"])
        except SystemExit as stop:
            said = errors.getvalue().strip()
            one_line = stop.code == 2 and "\n" not in said and "Traceback" not in said
            is_named = re.search(rf"{name}\b", said) and "Expected" in said and "Received" in said
            outcome = "named" if one_line and is_named else "unnamed" if one_line else "raw"
            return outcome, f"{stop.code}: {said}"
        except Exception as error:
            return "raw", f"{type(error).__name__}: {error}"
        return "accepted", ""


def flags_of_pretrain(folder):
    """All settings, typed; and values that can't work together."""
    right = [f"--data_dir={folder / 'images'}", f"--out={folder / 'run'}", "--dry_run"]
    right += ["--epochs=3", "--knn_k=2", "--batch_size=2"]
    for name, setting in SETTINGS.items():
        axes = [f"--{axis}={value}" for axis, value in axes_with(setting).items()]
        kind = kind_of_setting(name)
        yield Flag(pretrain.main, name, [*right, *axes], TYPED[kind])
    for name, kind in (("data_dir", "folder"), ("out", "place")):
        yield Flag(pretrain.main, name, right, TYPED[kind])
    for name, value, others in TOGETHER:
        names = [other.partition("=")[0] for other in others]
        words = [word for word in right if word.partition("=")[0] not in names]
        yield Flag(pretrain.main, name, [*words, *others], (value,))


def flags_of_others(folder):
    """Those of the other commands."""
    images = f"--data_dir={folder / 'images'}"
    saved, tiny = folder / "export", folder / "weights.npz"
    shared = {"batch_size": "count", "limit": "count from 0", "seed": "count from 0"}
    shared |= {"backbone": "folder", "data_dir": "folder", "out": "place"}
    protocol = [f"--backbone={saved}", images]
    commands = (
        (
            export.main,
            ["--backbone=/nowhere", "--out=x"],
            {"image_size": "count", "format": "choice"},
        ),
        (export.main, ["--out=x"], {"backbone": "folder"}),
        (
            convert.main,
            [f"--checkpoint={tiny}", "--backbone=vit_mini", f"--output={folder / 'new'}"],
            {"patch_size": "count", "image_size": "count", "trained_size": "count from 0"}
            | {"backbone": "choice", "checkpoint": "folder", "output": "place", "key": "layers"},
        ),
        (
            knn.main,
            [*protocol, "--k=2"],
            {**shared, "k": "count", "temperature": "positive"}
            | {"train_split": "layers", "test_split": "layers"},
        ),
        (few_labels.main, protocol, {"share": "share above 0", "per_class": "count"}),
        (few_labels.main, [*protocol, "--finetune"], {"epochs": "count"}),
        (
            finetune.main,
            [*protocol, f"--out={folder / 'classifier'}", "--epochs=1"],
            {**FINE_TUNING, "backbone": "folder", "out": "place", "validation": "share below 1"}
            | {"batch_size": "count", "image_size": "count", "devices": "count from 0"}
            | {"warmup_epochs": "count from 0", "data_dir": "folder"},
        ),
        (
            linear.main,
            [*protocol, "--cached", "--epochs=1"],
            {"epochs": "count", "learning_rate": "positive", "momentum": "share below 1"}
            | {"blocks": "count"},
        ),
        (transfer.main, [*protocol, "--k=2"], {"k": "count", "temperature": "positive"}),
        (
            embed.main,
            [f"--backbone={saved}", images, f"--out={folder / 'new.npz'}"],
            {"batch_size": "count", "backbone": "folder", "data_dir": "folder", "out": "place"}
            | {"shard_size": "count from 0", "format": "choice"},
        ),
        (
            gallery.main,
            [f"--backbone={saved}", images, f"--out={folder / 'gallery'}", "--k=2"],
            {"k": "count", "count": "count", "seed": "count from 0", "batch_size": "count"}
            | {"choose": "choice", "path": "unset", "backbone": "folder", "data_dir": "folder"}
            | {"out": "place"},
        ),
        *commands_of_folders(folder, saved),
        (gallery.main, ["--out=x"], {"run": "folder"}),
        (report.main, [], {"run": "folder"}),
        (knn.main, [*protocol, "--k=2"], {"look": "choice"}),
        (
            embed.main,
            [f"--backbone={saved}", images, f"--out={folder / 'new.npz'}"],
            {"look": "choice"},
        ),
    )
    for main, right, kinds in commands:
        for name, kind in kinds.items():
            yield Flag(main, name, right, TYPED[kind])


def commands_of_folders(folder, saved):
    """Commands whose data lie in folders of their own layout: function, flags and kinds."""
    shared = {"batch_size": "count", "image_size": "count from 0", "seed": "count from 0"}
    shared |= {"backbone": "folder", "data_dir": "folder", "out": "place"}
    each = (
        (retrieval, "retrieval", {"scale": "share above 0", "ground_truth": "unset"}),
        (
            copy_detection,
            "copies",
            {"k": "count", "power": "positive", "whitening_dim": "count from 0"}
            | {"ground_truth": "unset"},
        ),
        (
            video_segmentation,
            "video",
            {"last_frames": "count from 0", "radius": "count from 0", "topk": "count"}
            | {"temperature": "positive", "resolution": "unset", "image_set": "unset"},
        ),
        (
            dense,
            "dense",
            {"topk": "count", "memory_size": "count from 0", "num_classes": "count from 0"}
            | {"temperature": "positive"},
        ),
    )
    for command, name, kinds in each:
        right = [f"--backbone={saved}", f"--data_dir={folder / 'sets' / name}"]
        right += ["--k=2"] * (name == "copies")
        yield command.main, right, shared | kinds


def make_files(folder):
    """Writes few images, an export and weights into a folder."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in ("a", "b"):
            (folder / "images" / split / label).mkdir(parents=True)
            for i in range(4):
                pixels = rng.integers(0, 256, (8, 8, 3))
                keras.utils.save_img(folder / "images" / split / label / f"{i}.png", pixels)
    make_datasets.make_all(folder / "images", folder / "sets", small=True)
    backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=8, depth=1, num_heads=2)
    with quiet():
        ka.export.export_backbone(backbone, folder / "export", 8)
    np.savez(folder / "weights.npz", **ka.backbones.torch_state(ka.backbones.vit_mini()))
