"""From settings to the parts of a run; every function names the settings that it takes."""

import inspect
import os

import keras
import numpy as np
import tensorflow as tf

from keras_adasim import augment, backbones, data, layers, optimizers
from keras_adasim import pairing as pairings
from keras_adasim.files import expand
from keras_adasim.objectives import Objective
from keras_adasim.pretraining.settings import OPTIMIZERS, RENAMED, objectives_by_name, owned_by

# Decoded images above this many bytes stay on disk.
MEMORY_LIMIT = 4 * 2**30
# Parameters up to which, and steps from which on compiling gains on a CPU what it takes.
SMALL_NETWORK = 2_000_000
WORTH_COMPILING = 200


def check_parts(augment, callbacks, **switches):
    """Raises ValueError unless the user's own parts, and switches, can be such."""
    if not (augment is None or callable(augment)) or isinstance(augment, type):
        raise ValueError(
            f"Expected `augment` to be a layer or a function. Received: augment={augment!r}"
        )
    for callback in keras.tree.flatten(callbacks):
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "Expected `callbacks` to be a list of Keras callbacks. "
                f"Received: callbacks={callbacks!r}"
            )
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise ValueError(f"Expected `{name}` to be True or False. Received: {name}={value!r}")


def open_sources(images, test_images, channels, limit, seed):
    """The training source, and the test source where there is one.

    Args:
        images: A folder, a list of folders, an array, or a `Source`.
        test_images: The same, for the test images; None takes those beside a folder's `train/`.
        channels: Channels of images in folders.
        limit: At most so many training images, drawn once; 0 for all.
        seed: Seed of that draw.

    Raises:
        ValueError: If there are fewer than two training images, or `data` is something else.
    """
    train, beside = _open("data", images, channels)
    test = beside if test_images is None else _open("test_data", test_images, channels)[0]
    if len(train) < 2:
        raise ValueError(f"Expected `data` with at least two images. Received: {len(train)} image")
    if test is not None and train.labels is not None:
        test.checked_labels()
    if limit:
        train = data.Subset(train, _draw(len(train), limit, seed))
    return train, test


def _open(name, images, channels):
    if isinstance(images, data.Source):
        return images, None
    if isinstance(images, np.ndarray):
        return data.ArraySource(images), None
    folders = images if isinstance(images, list | tuple) else [images]
    if not folders or not all(isinstance(folder, str | os.PathLike) for folder in folders):
        raise ValueError(
            f"Expected `{name}` to be a folder, a list of folders, a uint8 array (N, H, W, C) or a "
            f"source of `keras_adasim.data`. Received: an object of type {type(images).__name__}"
        )
    return data.open_splits(images, channels)


def _draw(num_images, limit, seed):
    if not 0 < limit <= num_images:
        raise ValueError(f"Expected `limit` from 1 to {num_images}. Received: limit={limit}")
    return np.sort(np.random.default_rng(seed).permutation(num_images)[:limit])


def keep_in_memory(source, in_memory):
    """Decodes a source once, if it is to be in memory: "yes", "no", or where it fits ("auto")."""
    if source is None or in_memory == "no":
        return source
    if in_memory == "yes":
        return data.load_in_memory(source)
    samples = [source[i].shape for i in np.linspace(0, len(source) - 1, 32, dtype=int)]
    if len(set(samples)) > 1 or np.prod(samples[0]) * len(source) > MEMORY_LIMIT:
        return source
    try:
        return data.load_in_memory(source)
    except data.DifferentSizesError:
        return source  # The samples were alike, the others are not.


def is_preset(backbone):
    """Whether a backbone is one of ours by name, which needs its size before it is built."""
    return isinstance(backbone, str) and backbone in backbones.PRESETS


def make_backbone(backbone, decision):
    """The student's backbone: of a name with its settings, or the user's own."""
    if not is_preset(backbone):
        size = decision.given.get("image_size")
        return backbones.get(backbone, size, decision.given.get("channels"))
    settings = [setting.name for setting in owned_by(backbone, backbones.PRESETS[backbone])]
    return backbones.get(
        backbone,
        image_size=decision["image_size"],
        channels=decision["channels"],
        **{name: decision[name] for name in settings},
    )


def own_settings(source, backbone, own_augment):
    """Settings that the images, and the user's own backbone and augmentation, decide.

    Args:
        source: The training images.
        backbone: Name of a preset, or a built backbone.
        own_augment: The user's augmentation, or None.
    """
    crops = getattr(own_augment, "crops", None)
    found = {"image_size": crops.global_size if crops else getattr(backbone, "image_size", None)}
    for name in ("mean", "std"):
        found[name] = getattr(own_augment, name, None) or getattr(backbone, name, None)
    found["channels"] = source.channels
    return {name: value for name, value in found.items() if value is not None}


def make_crops(image_size, global_scale, local_size, local_scale, num_local, ratio):
    """Geometry of the views."""
    return augment.MultiCrop(image_size, global_scale, local_size, local_scale, num_local, ratio)


def make_augment(crops, mean, std, channels, seed, interpolation, exclude, policy):
    """DINO's policies, less what `exclude` names; or one policy for both views."""
    policies = {}
    if policy == "symmetric":
        policies = {"first": augment.symmetric_view(), "second": augment.symmetric_view()}
    return augment.DINOAugment(
        crops,
        **policies,
        mean=mean,
        std=std,
        channels=channels,
        seed=seed,
        interpolation=interpolation,
        exclude=exclude,
    )


def make_dataset(source, partners, crops, own_augment, batch_size, seed, interpolation):
    """Batches of pairs; images in memory, or for the user's own augmentation, come whole."""
    if batch_size > len(source):
        raise ValueError(
            f"Expected `batch_size` of at most the {len(source)} training images. "
            f"Received: batch_size={batch_size}"
        )
    crops = crops if own_augment is None else getattr(own_augment, "crops", None)
    on_host = None if isinstance(source, data.ArraySource) else crops
    return data.PairDataset(
        source, partners, batch_size, crops=on_host, seed=seed, interpolation=interpolation
    )


def make_pairing(source, pairing, seed, window=None, topk=None, sampling_temperature=None):
    """The pairing of that name for the images of a source."""
    if pairing == "oracle" and source.labels is None:
        raise ValueError(
            "Expected labeled images for `pairing=oracle`. Sort them into one folder per class, "
            "or choose another pairing."
        )
    arguments = {
        "self": {},
        "nearest": {"num_images": len(source), "topk": topk},
        "adasim": {
            "num_images": len(source),
            "window": window,
            "topk": topk,
            "temperature": sampling_temperature,
            "seed": seed,
        },
        "oracle": {"labels": source.labels, "seed": seed},
    }
    return pairings.get(pairing, **arguments[pairing])


def make_bank(source, backbone, pairing):
    """One row per image."""
    topk = getattr(pairing, "topk", min(10, len(source)))
    return layers.NeighborBank(len(source), backbone.output["features"].shape[-1], topk)


def make_objective(values, steps_per_epoch):
    """An objective of that name from its settings, epochs turned into steps; or the user's own."""
    objective = values["objective"]
    if isinstance(objective, Objective):
        return objective
    kind = objectives_by_name()[objective]
    arguments = {}
    for setting in owned_by(objective, kind):
        value = values[setting.name]
        if setting.name.endswith(("_epoch", "_epochs")):
            arguments[setting.name.replace("_epoch", "_step")] = value * steps_per_epoch
        else:
            arguments[setting.name] = _rate(value) if setting.name.endswith("_rate") else value
    if "seed" in inspect.signature(kind).parameters:
        arguments["seed"] = values["seed"]
    warmup = values["warmup_teacher_temperature_epochs"]
    if warmup and "teacher_temperature" in arguments:
        arguments["teacher_temperature"] = optimizers.EpochWarmup(
            values["warmup_teacher_temperature"],
            values["teacher_temperature"],
            warmup,
            steps_per_epoch,
        )
    return kind(**arguments)


def _rate(value):
    """A rate that is typed where a word may stand; `none` is None."""
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        return value


def load_weights(model, weights, weights_key):
    """Starts a model from a PyTorch checkpoint, if there is one.

    A checkpoint of a student and a teacher is continued, heads included; of any other, or with a
    key, student and teacher both start from the one backbone.
    """
    if not weights:
        return
    path = expand(weights)
    if not path.is_file():
        raise FileNotFoundError(f"Expected `weights` to be a file. Received: weights={weights}")
    checkpoint = backbones.read_checkpoint(path)
    if not weights_key and {"student", "teacher"} <= set(checkpoint):
        model.load_torch_weights(checkpoint)
        return
    networks = [model.student] if model.teacher is model.student else [model.student, model.teacher]
    for backbone in networks:
        backbones.load_torch_weights(backbone, checkpoint, key=weights_key or None)


def make_optimizer(values, steps, steps_per_epoch):
    """The optimizer with its two cosine schedules."""
    warmup, epochs = values["warmup_epochs"], steps // steps_per_epoch
    if warmup > epochs:
        raise ValueError(
            f"Expected `warmup_epochs` of at most `epochs={epochs}`. "
            f"Received: warmup_epochs={warmup}"
        )
    rate = optimizers.WarmupCosine(
        optimizers.scale_learning_rate(values["learning_rate"], values["batch_size"]),
        values["final_learning_rate"],
        steps,
        warmup_steps=warmup * steps_per_epoch,
    )
    decay = optimizers.WarmupCosine(values["weight_decay"], values["final_weight_decay"], steps)
    name = values["optimizer"]
    kind = OPTIMIZERS[name]
    own = {v: k for k, v in RENAMED.get(kind, {}).items()}
    settings = [setting.name for setting in owned_by(name, kind)]
    arguments = {own.get(setting, setting): values[setting] for setting in settings}
    return kind(rate, decay, clipnorm=values["clipnorm"] or None, **arguments)


def check_shares(batch_size, devices):
    """Raises ValueError if some devices would get more of a batch than others."""
    if batch_size % devices:
        raise ValueError(
            f"Expected `batch_size` that {devices} devices share evenly. "
            f"Received: batch_size={batch_size}"
        )


def make_momentum(steps, momentum, final_momentum):
    """The teacher's momentum, as a cosine of the step."""
    return optimizers.WarmupCosine(momentum, final_momentum, steps)


def compiles(xla, backbone, steps):
    """Whether the step is compiled: "yes", "no", or where it gains more time than it takes."""
    if xla != "auto":
        return xla == "yes"
    if tf.config.list_physical_devices("GPU"):
        return True
    return backbone.count_params() <= SMALL_NETWORK and steps >= WORTH_COMPILING


def make_strategy(devices):
    """No strategy for one device, else `MirroredStrategy`."""
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    physical = tf.config.list_physical_devices(kind)
    if kind == "CPU" and devices > 1:
        _split_processor(physical[0], devices)
    elif not 0 <= devices <= len(physical):
        raise ValueError(
            f"Expected `devices` from 0 to {len(physical)}. Received: devices={devices}"
        )
    wanted = devices or len(physical)
    if wanted == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(wanted)])


def _split_processor(processor, devices):
    """Makes logical devices, before anything runs: TensorFlow fixes its devices then."""
    if len(tf.config.get_logical_device_configuration(processor) or ()) >= devices:
        return
    try:
        parts = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(processor, parts)
    except RuntimeError as error:
        raise ValueError(
            "Expected `devices` above 1 on a CPU before TensorFlow runs anything in this process. "
            f"Received: devices={devices}. Call it first, or in a process of its own."
        ) from error
