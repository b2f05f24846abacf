"""Floats are from 0 to 1, and indices are rows of the bank, or they are refused."""

import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import export
from tests.models import tiny


@pytest.fixture(scope="module")
def model():
    return tiny.model(augment=tiny.crops_only(), bank=None, pairs=tiny.pairing.SelfPairing())


def batches(images, first=0):
    arrays = {"indices": np.arange(len(images)) + first, "images": images, "partners": images}
    return tf.data.Dataset.from_tensor_slices(arrays).batch(8, drop_remainder=True)


def test_floats_give_the_views_of_bytes(model):
    images = tiny.images()
    wanted, views = (
        model.augment(next(iter(batches(each))), step=0)
        for each in (images, (images / 255).astype("float32"))
    )
    for view, expected in zip(views, wanted, strict=True):
        np.testing.assert_allclose(view, expected, atol=0.02)


@pytest.mark.parametrize("scale", [1.2, -2.0, 255.0, np.nan])
def test_other_floats_are_refused(model, scale):
    images = np.full((8, 12, 12, 3), scale, "float32")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`images` to be uint8 .*floats"):
        model.fit(batches(images), verbose=0)
    with pytest.raises(ValueError, match=r"`images` to be uint8 .*floats"):
        model.embed(images)


@pytest.mark.parametrize("first", [-1, 30])
def test_indices_beyond_the_bank_are_refused(first):
    """Compiled, they were dropped."""
    with_bank = tiny.model(augment=tiny.crops_only())
    with pytest.raises(tf.errors.InvalidArgumentError, match="`indices` from 0 to 31"):
        with_bank.fit(batches(tiny.images()[:8], first), verbose=0)


@pytest.mark.large
def test_an_export_refuses_other_floats(model, tmp_path):
    export.export_backbone(model, tmp_path / "export", tiny.SIZE)
    loaded = tf.saved_model.load(tmp_path / "export")
    images = (tiny.images() / 255).astype("float32")
    np.testing.assert_allclose(
        loaded.serve(images)["features"], loaded.serve(tiny.images())["features"], atol=1e-4
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="floats of a larger range"):
        loaded.serve(images * 255)
