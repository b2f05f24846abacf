"""Runs that are small enough for a test."""

import contextlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_adasim as ka
from keras_adasim.backbones import vision_transformer_presets
from keras_adasim.pretraining import page
from tests.models import tiny

SMALL = {"epochs": 2, "batch_size": 12, "window": 1, "topk": 4, "warmup_epochs": 1, "knn_k": 3}
SMALL |= {"out_dim": 16, "hidden_dim": 8, "bottleneck_dim": 4, "num_layers": 1, "xla": "no"}
# TensorFlow says so whenever functions run eagerly.
IGNORED = "ignore:Even though the `tf.config.experimental_run"


@contextlib.contextmanager
def eagerly():
    """Without graphs, whose tracing takes most of a short run's time."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@contextlib.contextmanager
def one_block():
    """Vision Transformers of a preset's name have one block, 12 wide."""
    make = vision_transformer_presets._vit

    def vit(name, image_size, patch_size, embed_dim, depth, *arguments):
        return make(name, image_size, patch_size, 12, 1, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vision_transformer_presets, "_vit", vit)
        yield


def no_export(model, path, image_size, overwrite):
    """In the place of `export_backbone`, whose graphs are traced in any case; its deviation."""
    path.mkdir(exist_ok=overwrite)
    return 0.0


@contextlib.contextmanager
def quick(with_page=False):
    """Without graphs, exports and pages, which have tests of their own."""
    with eagerly(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ka.export, "export_backbone", no_export)
        if not with_page:
            patch.setattr(page, "write_at_end", lambda folder, model, source: None)
        yield


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


def small_backbone(dim=8):
    """The same network every time: one convolution."""
    keras.utils.set_random_seed(3)
    images = keras.Input((None, None, 3))
    tokens = keras.layers.Reshape((-1, dim))(keras.layers.Conv2D(dim, 4, strides=4)(images))
    features = keras.layers.GlobalAveragePooling1D()(tokens)
    return keras.Model(images, {"features": features, "tokens": tokens}, name="small")


def pretrain(data, out, **changes):
    """`ka.pretrain` of a small network, with crops alone as augmentation."""
    parts = {"backbone": small_backbone(), "augment": tiny.crops_only()}
    return ka.pretrain(data, out, **{**parts, **SMALL, **changes})


def content(folder):
    """What a run has written down, by file name."""
    return {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
