"""From settings to the parts of a run; every function takes the settings it names."""

import pathlib

import numpy as np

from keras_adasim import augment, backbones, data, layers, optimizers
from keras_adasim import pairing as pairings

# Decoded images above this many bytes stay on disk.
MEMORY_LIMIT = 4 * 2**30


def load_sources(data_dir, tfds, tfds_dir, channels, in_memory, image_size, limit, seed):
    """Training images, and test images where there are any.

    Returns:
        `(train, test)`, two sources; test is `None` without a folder or split for it.
    """
    if bool(data_dir) == bool(tfds):
        raise ValueError(
            "Expected either --data_dir=FOLDER or --tfds=NAME. "
            f"Received: --data_dir={data_dir!r}, --tfds={tfds!r}"
        )
    train, test = _tfds(tfds, tfds_dir) if tfds else _folders(data_dir, channels)
    if limit:
        train = data.Subset(train, _draw(len(train), limit, seed))
    return [source and _in_memory(source, in_memory) for source in (train, test)]


def _folders(data_dir, channels):
    root = pathlib.Path(data_dir).expanduser()
    if not (root / "train").is_dir():
        return data.open_folder(root, channels), None
    tests = [root / name for name in ("test", "val") if (root / name).is_dir()]
    test = data.open_folder(tests[0], channels) if tests else None
    return data.open_folder(root / "train", channels), test


def _tfds(name, directory):
    return [data.TfdsSource(name, split, directory or None) for split in ("train", "test")]


def _draw(num_images, limit, seed):
    if not 0 < limit <= num_images:
        raise ValueError(f"Expected --limit between 1 and {num_images}. Received: --limit={limit}")
    return np.sort(np.random.default_rng(seed).permutation(num_images)[:limit])


def _in_memory(source, in_memory):
    if in_memory == "no":
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


def make_crops(image_size, global_scale, local_size, local_scale, num_local):
    """Geometry of the views."""
    return augment.MultiCrop(image_size, global_scale, local_size, local_scale, num_local)


def make_augment(crops, mean, std, channels, seed, interpolation, leave_out, policy):
    """DINO's policies, less what `leave_out` names; or one policy for both views."""
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
        exclude=leave_out,
    )


def make_dataset(source, pairs, batch_size, crops, seed, interpolation):
    """Batches of pairs; images in memory are cropped on the device."""
    if batch_size > len(source):
        raise ValueError(
            f"Expected --batch_size of at most the {len(source)} training images. "
            f"Received: --batch_size={batch_size}"
        )
    on_host = None if isinstance(source, data.ArraySource) else crops
    return data.PairDataset(
        source, pairs, batch_size, crops=on_host, seed=seed, interpolation=interpolation
    )


def make_pairing(pairing, source, window, topk, sampling_temperature, seed):
    """The pairing of that name for the images of a source."""
    if pairing == "oracle" and source.labels is None:
        raise ValueError(
            "Expected labelled images for --pairing=oracle. Sort them into one folder per class, "
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
    }[pairing]
    return pairings.get(pairing, **arguments)


def make_bank(source, backbone, topk):
    """One row per image."""
    return layers.NeighborBank(len(source), backbone.feature_dim, topk)


def load_weights(model, weights, weights_key):
    """Starts a model from a PyTorch checkpoint, if there is one.

    A checkpoint of a student and a teacher is continued, heads included; of any other, or with
    --weights_key, student and teacher both start from the one backbone.
    """
    if not weights:
        return
    if not pathlib.Path(weights).is_file():
        raise FileNotFoundError(f"Expected --weights to be a file. Received: --weights={weights}")
    checkpoint = backbones.read_checkpoint(weights)
    if not weights_key and {"student", "teacher"} <= set(checkpoint):
        model.load_torch_weights(checkpoint)
        return
    for backbone in (model.student, model.teacher):
        backbones.load_torch_weights(backbone, checkpoint, key=weights_key or None)


def make_optimizer(
    steps,
    steps_per_epoch,
    batch_size,
    optimizer,
    learning_rate,
    final_learning_rate,
    warmup_epochs,
    weight_decay,
    final_weight_decay,
    clipnorm,
    optimizer_momentum,
):
    """The optimiser with its two cosine schedules."""
    if warmup_epochs * steps_per_epoch > steps:
        raise ValueError(
            f"Expected --warmup_epochs of at most --epochs={steps // steps_per_epoch}. Received: "
            f"--warmup_epochs={warmup_epochs}"
        )
    rate = optimizers.WarmupCosine(
        optimizers.scale_learning_rate(learning_rate, batch_size),
        final_learning_rate,
        steps,
        warmup_steps=warmup_epochs * steps_per_epoch,
    )
    decay = optimizers.WarmupCosine(weight_decay, final_weight_decay, steps)
    clipnorm = clipnorm or None
    if optimizer == "adamw":
        return optimizers.AdamW(rate, decay, clipnorm=clipnorm)
    kind = {"lars": optimizers.LARS, "sgd": optimizers.SGD}[optimizer]
    return kind(rate, decay, momentum=optimizer_momentum, clipnorm=clipnorm)


def make_momentum(steps, momentum, final_momentum):
    """The teacher's momentum, as a cosine of the step."""
    return optimizers.WarmupCosine(momentum, final_momentum, steps)
