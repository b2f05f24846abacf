"""Fine-tuning as a function: what it learns, takes, leaves alone and refuses."""

import contextlib

import keras
import numpy as np
import pytest

import keras_adasim as ka
from keras_adasim.evaluation.classifier_training import cross_entropy
from keras_adasim.evaluation.finetune import finetune
from tests.pretraining.runs import IGNORED, eagerly

pytestmark = pytest.mark.filterwarnings(IGNORED)


@pytest.fixture(autouse=True)
def _eagerly(request):
    """Steps of so few images are done before they would be traced; but those of replicas."""
    with contextlib.nullcontext() if "two_replicas" in request.fixturenames else eagerly():
        yield


def colored(number=24, size=8, seed=0):
    """Images of three classes, of which one channel each is bright."""
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % 3
    images = rng.integers(0, 60, (number, size, size, 3))
    images[np.arange(number), :, :, labels] += 150
    return ka.data.ArraySource(images.astype(np.uint8), labels, ["red", "green", "blue"])


def convolution(norm=False):
    """A backbone of few variables, so that a step is traced quickly."""
    keras.utils.set_random_seed(1)
    images = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(6, 3, strides=2, activation="relu")(images)
    if norm:
        maps = ka.layers.batch_normalization.BatchNormalization()(maps)
    return ka.backbones.adapt(keras.Model(images, maps), image_size=8)


SHORT = {"epochs": 2, "batch_size": 8, "warmup_epochs": 0, "image_size": 8}


def test_learns_chooses_and_tells():
    backbone, said = convolution(norm=True), []
    before = [np.array(weight) for weight in backbone.weights]
    given = {"epochs": 8, "batch_size": 6, "learning_rate": 0.5, "image_size": 8}
    train, test = colored(), colored(12, seed=1)
    classifier, result = finetune(backbone, train, test, validation=0.25, say=said.append, **given)
    assert result.top1 == result.top5 == 1.0
    assert result.images == {"train": 18, "validation": 6, "test": 12}
    assert len(result.log) == 8
    best = max(result.log, key=lambda row: (row["validation_top1"], -row["validation_loss"]))
    assert (result.best_epoch, result.validation) == (best["epoch"], best["validation_top1"])
    assert len(said) == 11 + 8
    # The weights are that epoch's, and the file's accuracy is the one that is told.
    logits = np.asarray(classifier(np.stack([test[i] for i in range(12)])))
    assert np.mean(logits.argmax(axis=1) == test.labels) == 1
    assert classifier.class_names == ("red", "green", "blue")
    assert not classifier.compiled
    for weight, value in zip(backbone.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    moving = [w for w in classifier.backbone.weights if "moving_mean" in w.path]
    assert np.abs(np.array(moving[0])).max() > 0


@pytest.mark.slow
def test_the_same_seed_gives_the_same_and_mixing_is_part_of_it():
    train = colored()
    runs = {}
    for name, given in {
        "first": {"mixup": 0.8, "cutmix": 1.0},
        "again": {"mixup": 0.8, "cutmix": 1.0},
        "unmixed": {},
    }.items():
        classifier, result = finetune(convolution(), train, validation=0, **SHORT, **given)
        runs[name] = [np.array(weight) for weight in classifier.weights]
    assert (result.top1, result.validation, result.best_epoch) == (None, None, 2)
    for first, again in zip(runs["first"], runs["again"], strict=True):
        np.testing.assert_array_equal(first, again)
    assert np.abs(runs["first"][0] - runs["unmixed"][0]).max() > 1e-5


def test_two_replicas_equal_one(two_replicas):
    """With BatchNormalization, mixup and CutMix; each replica sees a part of the same batches."""
    train, weights = colored(), []
    given = {"mixup": 0.8, "cutmix": 1.0, "learning_rate": 0.1, **SHORT}
    alone, _ = finetune(convolution(norm=True), train, validation=0.25, **given)
    with two_replicas.scope():
        both, _ = finetune(convolution(norm=True), train, validation=0.25, **given)
    for one, two in zip(alone.weights, both.weights, strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5, err_msg=one.path)
        weights.append(np.abs(np.array(one)).max())
    assert max(weights) > 0


@pytest.mark.slow
def test_drop_path_is_set_on_the_blocks_of_a_copy():
    backbone = ka.backbones.VisionTransformer(8, 4, 8, 2, 2, drop_path_rate=0.3)
    classifier, result = finetune(backbone, colored(), validation=0, drop_path=0.2, **SHORT)
    rates = [block.drop_path.rate for block in classifier.backbone.blocks]
    assert rates == pytest.approx([0, 0.2])
    assert backbone.drop_path_rate == 0.3
    assert result.settings["drop_path"] == 0.2


def test_frozen_layers_of_the_backbone_are_trained():
    backbone = convolution(norm=True)
    backbone.trainable = False
    classifier, _ = finetune(backbone, colored(), validation=0, **SHORT)
    assert np.abs(classifier.backbone.weights[0] - np.array(backbone.weights[0])).max() > 1e-6
    assert not backbone.trainable_variables


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_a_loss_that_is_not_finite_ends_it():
    with pytest.raises(ka.NotFiniteError, match="learning_rate"):
        finetune(convolution(), colored(), learning_rate=1e38, **{**SHORT, "epochs": 20})


def test_cross_entropy():
    logits = np.random.default_rng(0).normal(size=(5, 3))
    labels = np.array([0, 1, 2, 0, 1])
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert cross_entropy(logits, labels) == pytest.approx(
        -np.mean(np.log(shares[np.arange(5), labels]))
    )


def of_one_class():
    return ka.data.ArraySource(np.zeros((4, 8, 8, 3), np.uint8), [1] * 4, ["cat", "dog"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backbone": None}, "`backbone`"),
        ({"train": None}, "`train`"),
        ({"train": ka.data.ArraySource(np.zeros((4, 8, 8, 3), np.uint8))}, "labels"),
        ({"train": of_one_class()}, "two classes or more.*'dog'"),
        ({"test": 3}, "`test`"),
        ({"test": of_one_class()}, "`test` with the classes"),
        ({"test": ka.data.ArraySource(np.zeros((4, 8, 8, 3), np.uint8), [7] * 4)}, "label 7"),
        ({"validation": 1}, "`validation`"),
        ({"image_size": 0}, "`image_size`"),
        ({"image_size": 1}, "`image_size` to be a size"),
        ({"epochs": 0}, "`epochs`"),
        ({"mean": (0.5,)}, "`mean`"),
        ({"seed": -1}, "`seed`"),
        ({"value_range": (1, 0)}, "`value_range`"),
        ({"say": "print"}, "`say`"),
        ({"callbacks": [print]}, "`callbacks`"),
    ],
)
def test_refused_by_name(given, message):
    right = {"backbone": convolution(), "train": colored()}
    with pytest.raises(ValueError, match=message):
        finetune(**{**right, **given})


def test_a_size_that_the_patches_do_not_divide():
    backbone = ka.backbones.VisionTransformer(8, 4, 8, 1, 2)
    with pytest.raises(ValueError, match=r"image_size=10.*multiples of patch_size=4"):
        finetune(backbone, colored(), image_size=10)
