"""Settings that follow the number and size of the images."""

import numpy as np
import pytest

from keras_adasim import data
from keras_adasim.pretraining import choosing
from keras_adasim.pretraining.deciding import Decision


class Images:
    """What choosing looks at."""

    channels = 3
    image_size = (48, 64)

    def __init__(self, num_images):
        self.num_images = num_images

    def __len__(self):
        return self.num_images


def choose(num_images, **given):
    decision = Decision({"backbone": "vit_mini", **given})
    decision.choose(Images(num_images))
    return decision


@pytest.mark.parametrize("num_images", [3, 20, 1338, 50_000, 1_300_000])
def test_settings_fit_the_number_of_images(num_images):
    chosen = choose(num_images)
    assert 1 <= chosen["batch_size"] <= num_images
    assert chosen["window"] * 4 <= chosen["epochs"]
    assert 0 <= chosen["warmup_epochs"] < chosen["epochs"]
    assert 0.99 <= chosen["momentum"] <= 0.996
    assert chosen["image_size"] % chosen["patch_size"] == 0
    assert chosen["topk"] <= num_images


def test_every_choice_has_its_rule():
    chosen = choose(1000)
    assert set(chosen.reasons) >= {"epochs", "batch_size", "image_size", "window", "learning_rate"}
    assert all(chosen.reasons.values())
    assert "epochs" not in choose(1000, epochs=7).reasons


def test_wanted_epochs_decide_what_depends_on_them():
    chosen = choose(20, epochs=16)
    assert (chosen["epochs"], chosen["window"]) == (16, 2)
    assert choose(20, epochs=1)["warmup_epochs"] == 0


def test_an_experiment_chooses_nothing():
    decision = Decision({}, defaults={"batch_size": 1024})
    decision.choose(Images(1000))
    assert not decision.reasons
    assert (decision["batch_size"], decision["window"], decision["out_dim"]) == (1024, 50, 65536)


def test_residual_networks_get_sgd():
    chosen = choose(1000, backbone="resnet18_cifar")
    assert (chosen["optimizer"], chosen["learning_rate"], chosen["clipnorm"]) == ("sgd", 0.03, 0.0)
    assert choose(1000, backbone="resnet18_cifar", optimizer="adamw")["optimizer"] == "adamw"


def test_more_images_more_prototypes():
    counts = [choosing.prototypes(n) for n in (100, 20_000, 50_000, 100_000, 200_000, 10**6)]
    assert counts == [256, 1024, 2048, 4096, 16384, 65536]


@pytest.mark.parametrize("objective", ["byol", "nnclr", "moco_v3", "simsiam", "simclr", "esvit"])
def test_every_objective_gets_settings_that_it_has(objective):
    chosen = choose(1000, objective=objective)
    assert chosen["hidden_dim"] == 256
    if objective == "nnclr":
        assert chosen["queue_size"] % chosen["batch_size"] == 0
        assert chosen["queue_size"] <= 1000


@pytest.mark.parametrize("channels", [1, 4])
def test_other_images_than_rgb_are_measured(channels):
    """Gray ones got fixed numbers, and all others none."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, channels), np.uint8)
    pixels[..., 0] //= 4
    source = data.ArraySource(pixels)
    decision = Decision({"backbone": "vit_mini", "channels": channels})
    decision.choose(source, {"channels": channels})
    np.testing.assert_allclose(decision["mean"], pixels.mean((0, 1, 2)) / 255, atol=1e-4)
    np.testing.assert_allclose(decision["std"], pixels.std((0, 1, 2)) / 255, atol=2e-3)
    assert "measured" in decision.reasons["mean"]
    given = {"mean": (0.1,) * channels, "std": (0.2,) * channels}
    decision = Decision({"backbone": "vit_mini", "channels": channels, **given})
    decision.choose(source, {"channels": channels})
    assert decision["mean"] == given["mean"]
    assert "mean" not in decision.reasons


def test_a_channel_that_is_the_same_everywhere_has_a_deviation():
    source = data.ArraySource(np.zeros((3, 4, 4, 2), np.uint8))
    assert choosing.mean_and_std(source) == ((0.0, 0.0), (1.0, 1.0))


def test_a_large_bank_has_rows_of_half_the_size():
    assert [choose(n)["row_dtype"] for n in (1000, 1_300_000, 14_000_000)] == [
        *("float32", "float32", "float16")
    ]
    chosen = choose(14_000_000, row_dtype="float32", sharded=True)
    assert (chosen["row_dtype"], chosen["sharded"]) == ("float32", True)
    # A run may go on with other shares, but not with other rows.
    assert "row_dtype" in chosen.to_remember()
    assert "sharded" not in chosen.to_remember()
    kept = {"settings": {"row_dtype": "float32"}}
    with pytest.raises(ValueError, match=r"`row_dtype`=float32\. Received: row_dtype=float16"):
        Decision({"row_dtype": "float16"}, kept)
