"""Fine-tuning: a pretrained backbone becomes a classifier of labeled images."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_adasim import data
from keras_adasim.evaluation.accuracy import top_accuracies
from keras_adasim.evaluation.classifier_training import Watch, train_classifier, trainable_copy
from keras_adasim.evaluation.finetune_settings import choose_settings
from keras_adasim.evaluation.splits import stratified_split
from keras_adasim.evaluation.standard_error import standard_error
from keras_adasim.export.image_classifier import ImageClassifier
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from keras_adasim.validation import check_has, check_integer, check_number, reason


@dataclasses.dataclass(frozen=True)
class FineTuning:
    """What a fine-tuning came to.

    Attributes:
        top1: Accuracy on the test images, in [0, 1]; None without any.
        standard_error: Its standard error.
        top5: How often the label is among the first five; None likewise.
        best_epoch: The epoch, from 1, whose weights were taken: the best on the validation images,
            or the last one without any.
        validation: Accuracy on the validation images in that epoch, or None.
        images: Dict of the number of training, validation and test images.
        settings: Dict of what it was done with.
        log: List of one dict per epoch: `epoch`, `loss`, and of the validation images
            `validation_loss`, `validation_top1` and `validation_top5`.
    """

    top1: float | None
    standard_error: float | None
    top5: float | None
    best_epoch: int
    validation: float | None
    images: dict
    settings: dict
    log: list


def finetune(
    backbone,
    train,
    test=None,
    validation=0.1,
    image_size=None,
    mean=None,
    std=None,
    value_range=None,
    epochs=None,
    batch_size=None,
    learning_rate=None,
    layer_decay=None,
    weight_decay=None,
    warmup_epochs=None,
    mixup=None,
    cutmix=None,
    label_smoothing=None,
    drop_path=None,
    crop_scale=None,
    seed=0,
    callbacks=(),
    say=None,
):
    """Trains a backbone with a linear classifier on it, from end to end.

    AdamW with learning rates that fall from the classifier to the input, warm-up and cosine, on
    random crops and flips, with mixup or CutMix, label smoothing and drop path. What is None is
    chosen from the number and size of the images; `say` tells why. A part of the training images
    is held out and chooses the epoch; the test images only tell how good that one is. They are
    looked at as the classifier will look at any image: whole, resized to a square.

    The backbone itself stays as it is. Inside `strategy.scope()`, where it was made too, all
    replicas train, which see parts of the batches that one device would see.

    Args:
        backbone: Built `keras.Model` from normalized images to a dictionary with "features", such
            as `backbones.get("runs/photos")`.
        train: Labeled `Source`.
        test: Labeled `Source`, or None.
        validation: Share of every class that is held out of `train`, in [0, 1); 0 for none: the
            last epoch is taken then.
        image_size: Side in pixels of what the backbone gets to see; its own by default.
        mean: C means of the channels; the backbone's own by default, else ImageNet's.
        std: C standard deviations, likewise.
        value_range: What of deep images became 0 and 255 in pretraining, if there were any.
        epochs: Passes over the training images.
        batch_size: Images of a step, over all replicas.
        learning_rate: Rate after the warm-up for 256 images a step; scaled with `batch_size`.
        layer_decay: Factor of the rate from one group of layers to the one before it.
        weight_decay: AdamW's, of kernels.
        warmup_epochs: Epochs in which the rate rises from 0.
        mixup: Parameter of mixup's beta distribution; 0 without.
        cutmix: Parameter of CutMix's; 0 without. With both, each batch has one of them.
        label_smoothing: Share of every label that is spread over all classes.
        drop_path: Probability of leaving a branch of the last block out.
        crop_scale: Smallest share of an image's area that a crop has, in (0, 1].
        seed: Non-negative integer, of all draws.
        callbacks: Further callbacks of Keras.
        say: Function of a line of text, such as `print`; None is silent.

    Returns:
        `(classifier, result)`: an `ImageClassifier` of the best epoch's weights, and a
        `FineTuning`.

    Raises:
        ValueError: If an argument doesn't fit.
        NotFiniteError: If the loss is NaN or infinite.

    Reference:
        - Touvron et al., "Training data-efficient image transformers & distillation through
          attention", ICML 2021, and Bao et al., "BEiT", ICLR 2022, for the recipe.

    Example:
        ```python
        images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), np.uint8)
        train = ka.data.ArraySource(images, labels=[0, 1] * 8)
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=8, depth=1, num_heads=2)
        classifier, result = ka.evaluation.finetune.finetune(backbone, train, epochs=1)
        classifier.save("classifier.keras")
        ```
    """
    say = _silent if say is None else say
    check_has("say", say, "a function of a line of text", "__call__")
    _check_callbacks(callbacks)
    check_has("backbone", backbone, "a built `keras.Model`", "get_config", "trainable_variables")
    seed = check_integer("seed", seed, minimum=0)
    class_names = check_sources(train, test)
    kept, held_out = split(train, validation, seed)
    image_size = checked_size(backbone, image_size, train.channels)
    takes_drop_path = "drop_path_rate" in backbone.get_config()
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    settings = choose_settings(
        len(kept),
        image_size,
        takes_drop_path,
        replicas,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        layer_decay=layer_decay,
        weight_decay=weight_decay,
        warmup_epochs=warmup_epochs,
        mixup=mixup,
        cutmix=cutmix,
        label_smoothing=label_smoothing,
        drop_path=drop_path,
        crop_scale=crop_scale,
    )
    classifier = ImageClassifier(
        trainable_copy(backbone, settings.drop_path, seed),
        class_names,
        image_size,
        _first(mean, getattr(backbone, "mean", None), IMAGENET_MEAN),
        _first(std, getattr(backbone, "std", None), IMAGENET_STD),
        value_range,
        name="image_classifier",
    )
    if value_range is not None:
        for source in (train, test):
            if source is not None:
                source.value_range = value_range
    for line in settings.lines():
        say(line)
    watch = Watch(classifier, settings.epochs, _part(train, held_out), say)
    train_classifier(classifier, _part(train, kept), settings, seed, [watch, *callbacks])
    watch.take_best()
    return classifier, _result(classifier, watch, test, settings, len(kept), len(held_out))


def check_sources(train, test):
    """Returns the names of the classes, if both sources have labels of two classes or more."""
    for name, source in (("train", train), ("test", test)):
        if name == "train" or source is not None:
            check_has(name, source, "a `data.Source` of labeled images", "checked_labels", "decode")
            source.checked_labels()
    names = train.class_names
    if names is None:
        names = [str(label) for label in range(int(np.max(train.labels)) + 1)]
    if len(np.unique(train.labels)) < 2:
        raise ValueError(
            "Expected `train` with images of two classes or more, to tell apart. Received: train "
            f"of one, {names[int(train.labels[0])]!r}"
        )
    if test is not None and (test.channels, train.channels) != (train.channels,) * 2:
        raise ValueError(
            f"Expected `test` with images of {train.channels} channels, as `train`. Received: "
            f"test of {test.channels}"
        )
    if test is not None and list(test.class_names or names) != list(names):
        raise ValueError(
            "Expected `test` with the classes of `train` under the same numbers; "
            f"`data.open_splits` sees to it. Received: test of {list(test.class_names)[:5]}, train "
            f"of {list(names)[:5]}"
        )
    if test is not None and np.max(test.labels) >= len(names):
        raise ValueError(
            f"Expected `test` with labels from 0 to {len(names) - 1}, as `train`. Received: test "
            f"with label {np.max(test.labels)}"
        )
    return list(names)


def split(train, validation, seed):
    """Indices of the images that are trained on, and of those that are held out."""
    share = check_number("validation", validation, minimum=0, below=1)
    if share:
        return stratified_split(train.labels, share, seed)
    return np.arange(len(train)), np.arange(0)


def checked_size(backbone, image_size, channels):
    """Returns the side of the images, if the backbone takes such images."""
    own = getattr(backbone, "image_size", None) or backbone.input_shape[1]
    if image_size is None and own is None:
        raise ValueError(
            "Expected `image_size`, as the backbone doesn't tell its own. Received: image_size=None"
        )
    size = check_integer("image_size", own if image_size is None else image_size)
    if backbone.input_shape[-1] not in (None, channels):
        raise ValueError(
            f"Expected `train` with images of {backbone.input_shape[-1]} channels, as the backbone "
            f"takes. Received: train of {channels}"
        )
    try:
        outputs = backbone(np.zeros((1, size, size, channels), np.float32), training=False)
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"Expected `image_size` to be a size that {backbone.name} takes. Received: "
            f"image_size={size}. {reason(error)}"
        ) from error
    if not isinstance(outputs, dict) or "features" not in outputs:
        raise ValueError(
            'Expected `backbone` to give a dictionary with "features". Received: backbone='
            f"{backbone.name}, which doesn't. Wrap it with `keras_adasim.backbones.adapt`."
        )
    return size


def _result(classifier, watch, test, settings, trained, held_out):
    top1 = top5 = error = None
    if test is not None:
        top1, top5 = top_accuracies(watch.predict(test), test.labels)
        error = standard_error(top1, len(test))
    told = dataclasses.asdict(settings)
    told.pop("reasons")
    return FineTuning(
        top1,
        error,
        top5,
        watch.best["epoch"],
        watch.best.get("validation_top1"),
        {"train": trained, "validation": held_out, "test": 0 if test is None else len(test)},
        {**told, "image_size": classifier.image_size},
        watch.log,
    )


def _silent(line):
    pass


def _check_callbacks(callbacks):
    wanted = isinstance(callbacks, list | tuple)
    if not wanted or not all(isinstance(each, keras.callbacks.Callback) for each in callbacks):
        raise ValueError(
            f"Expected `callbacks` to be a list of Keras' callbacks. Received: {callbacks=}"
        )


def _part(source, indices):
    return data.Subset(source, indices) if len(indices) else None


def _first(*values):
    """The first value that isn't None."""
    return next(value for value in values if value is not None)
