"""Runs that are small enough for a test."""

import json

import keras
import numpy as np

import keras_adasim as ka
from tests.models import tiny

SMALL = {"epochs": 2, "batch_size": 8, "window": 1, "topk": 4, "warmup_epochs": 1, "knn_k": 3}
SMALL |= {"out_dim": 16, "hidden_dim": 8, "bottleneck_dim": 4, "xla": "no"}


def make_images(folder, per_class=12, size=10, splits=("train", "test")):
    """Two classes of noise, one dark and one bright, as PNG files; returns the folder."""
    rng = np.random.default_rng(0)
    for split in splits:
        for label, level in (("dark", 40), ("bright", 200)):
            (folder / split / label).mkdir(parents=True)
            for i in range(per_class):
                pixels = rng.integers(level - 40, level + 40, (size, size, 3))
                keras.utils.save_img(folder / split / label / f"{i}.png", pixels, scale=False)
    return folder


def small_backbone():
    """The same network every time."""
    keras.utils.set_random_seed(3)
    return ka.backbones.VisionTransformer(tiny.SIZE, 4, 8, 1, 2, name="small")


def pretrain(data, out, **changes):
    """`ka.pretrain` of a network of one block, with crops alone as augmentation."""
    parts = {"backbone": small_backbone(), "augment": tiny.crops_only()}
    return ka.pretrain(data, out, **{**parts, **SMALL, **changes})


def content(folder):
    """What a run has written down, by file name."""
    return {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
