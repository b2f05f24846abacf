"""Settings that follow the number and size of the images, and the demo's images."""

import choosing
import numpy as np
import photographs
import pytest

from keras_adasim import data


@pytest.mark.parametrize("num_images", [3, 20, 1338, 50_000, 1_300_000])
def test_settings_fit_the_number_of_images(num_images):
    source = data.Subset(
        data.ArraySource(np.zeros((3, 32, 32, 3), np.uint8)), np.zeros(num_images, int)
    )
    chosen = choosing.choose(source)
    assert 1 <= chosen["batch_size"] <= num_images
    assert chosen["window"] * 4 <= chosen["epochs"]
    assert 0 <= chosen["warmup_epochs"] < chosen["epochs"]
    assert 0.99 <= chosen["momentum"] <= 0.996
    assert chosen["image_size"] % chosen["patch_size"] == 0


def test_wanted_epochs_decide_what_depends_on_them():
    source = data.ArraySource(np.zeros((20, 32, 32, 3), np.uint8))
    chosen = choosing.choose(source, epochs=16)
    assert (chosen["epochs"], chosen["window"]) == (16, 2)
    assert choosing.choose(source, epochs=1)["warmup_epochs"] == 0


def test_more_images_more_prototypes():
    counts = [choosing.prototypes(n) for n in (100, 20_000, 50_000, 100_000, 200_000, 10**6)]
    assert counts == [256, 1024, 2048, 4096, 16384, 65536]


def test_photographs_are_cut_without_overlap():
    train, train_labels, test, test_labels = photographs.load_patches(size=24, per_photograph=20)
    assert train.dtype == np.uint8
    assert train.shape[1:] == (24, 24, 3)
    assert set(train_labels) == set(range(len(photographs.PHOTOGRAPHS)))
    assert len(train) == len(train_labels) > len(test) == len(test_labels)
    np.testing.assert_array_equal(train[..., 0], train[..., 2])
