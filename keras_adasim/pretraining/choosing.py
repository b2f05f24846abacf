"""Settings for a set of images, from their number and size, the device and the epochs."""

import math

import numpy as np

from keras_adasim.pretraining.settings import SMALL_BACKBONE

# What each setting that is chosen follows from.
RULES = {
    "image_size": "on a GPU 224 pixels, 96 or 32 for smaller images; on a CPU 64, or 32",
    "patch_size": "16 patches a view on a CPU, up to 196 on a GPU",
    "local_size": "half of image_size",
    "epochs": "as many as the device works through in some minutes (small network on a CPU) or "
    "hours (GPU), at least 8, at most 100 and 400",
    "window": "an eighth of the epochs, so that the gate has time to open",
    "warmup_epochs": "a twentieth of the epochs",
    "knn_every": "25 times in the run",
    "batch_size": "a power of two that gives an epoch 16 steps, at most 256, 128 on a CPU",
    "optimizer": "adamw; sgd for ResNets, as DINO's README",
    "learning_rate": "per 256 images: 5e-4 for transformers, 2e-3 for the small one, 0.03 for "
    "ResNets by sgd; 1e-4 where pretrained weights go on",
    "weight_decay": "0.04 for transformers; 1e-4 for ResNets",
    "final_weight_decay": "0.4 for transformers; 1e-4 for ResNets",
    "clipnorm": "3; none for ResNets",
    "momentum": "0.99 up to 20,000 images, 0.996 from 1.28 million on",
    "sampling_temperature": "0.01: with few images and epochs similarities differ more than in the "
    "paper's 0.001",
    "out_dim": "prototypes: 256 up to 2,000 images, to 65536 above 500,000; 256 for projections of "
    "a small network",
    "hidden_dim": "256 for a small network; else the method's own",
    "bottleneck_dim": "64 for a small network; else the method's own",
    "predictor_hidden_dim": "64 for a small network; else the method's own",
    "queue_size": "about half of the images, in whole batches, at most 98304",
    "freeze_last_layer_epochs": "one epoch, as in DINO's and AdaSim's code",
    "drop_path_rate": "0.1; none for a small network",
    "exclude": "no blur for images of 64 pixels or less",
    "mean": "ImageNet's for 3 channels, else measured on 256 images",
    "std": "ImageNet's for 3 channels, else measured on 256 images",
    "topk": "10, or as many as there are images",
    "row_dtype": "of the bank: float32 up to 2 million images, 3 GB of 384 features; then float16",
}


def choose(num_images, side, gpu, backbone, pretrained, known, epochs=None, image_size=None):
    """Settings for a source of images on this machine.

    Prototypes and momentum follow lightly-train's scaling of DINO to small sets, less for sets
    below 2,000 images.

    Args:
        num_images: Number of images N.
        side: Typical shorter side of the images, in pixels.
        gpu: Whether there is one.
        backbone: Name of the backbone.
        pretrained: Whether it brings weights, which then go on.
        known: Names of the settings that the run has; others are not chosen.
        epochs: How many epochs are wanted; None chooses.
        image_size: Side of the views that is wanted; None chooses.

    Returns:
        Dict of values by name; `RULES` has their reasons.
    """
    small, residual = backbone == SMALL_BACKBONE, backbone.startswith("resnet")
    size, patch_size = sizes(side, gpu)
    image_size = image_size or size
    epochs = epochs or number_of_epochs(num_images, gpu, small)
    batch = batch_size(num_images, gpu)
    rate = 2e-3 if small else 0.03 if residual else 1e-4 if pretrained else 5e-4
    chosen = {
        "image_size": image_size,
        "patch_size": patch_size,
        "local_size": max(1, image_size // 2),
        "epochs": epochs,
        "window": max(1, epochs // 8),
        "warmup_epochs": min(max(1, epochs // 20), epochs - 1),
        "knn_every": max(1, epochs // 25),
        "batch_size": batch,
        "optimizer": "sgd" if residual else "adamw",
        "learning_rate": rate,
        "weight_decay": 1e-4 if residual else 0.04,
        "final_weight_decay": 1e-4 if residual else 0.4,
        "clipnorm": 0.0 if residual else 3.0,
        "momentum": momentum(num_images),
        "sampling_temperature": 0.01,
        "freeze_last_layer_epochs": 1 if epochs > 1 else 0,
        "drop_path_rate": 0.0 if small else 0.1,
        "exclude": ("blur",) if image_size <= 64 else (),
        "queue_size": batch * int(np.clip(num_images // batch // 2, 1, 98304 // batch)),
        "topk": min(10, num_images),
        "row_dtype": bank_dtype(num_images),
    }
    if small:
        chosen |= {"hidden_dim": 256, "bottleneck_dim": 64, "predictor_hidden_dim": 64}
        chosen["out_dim"] = 256
    if "student_temperature" in known:  # Its outputs are prototypes.
        chosen["out_dim"] = prototypes(num_images)
    return {name: value for name, value in chosen.items() if name in known}


def typical_side(source, samples=32):
    """Median of the shorter sides of some images, in pixels."""
    if source.image_size is not None:
        return min(source.image_size)
    return int(np.median([min(image.shape[:2]) for image in some_images(source, samples)]))


def some_images(source, count):
    """Some images, spread over a source; one that can't be read is passed over.

    Raises:
        ValueError: If none can be read.
    """
    images, reason = [], None
    for index in np.unique(np.linspace(0, len(source) - 1, min(count, len(source)), dtype=int)):
        try:
            images.append(source[int(index)])
        except ValueError as error:  # The run finds it too, and names it.
            reason = error
    if not images:
        raise reason
    return images


def mean_and_std(source, samples=256):
    """Mean and standard deviation of each channel over some images, on the scale from 0 to 1.

    Args:
        source: `Source`.
        samples: How many images are read, spread over the source.

    Returns:
        Two tuples of C floats; a channel that is the same everywhere has the deviation 1.
    """
    images = [image.reshape(-1, source.channels) / 255 for image in some_images(source, samples)]
    mean = np.mean([image.mean(axis=0) for image in images], axis=0)
    square = np.mean([np.square(image - mean).mean(axis=0) for image in images], axis=0)
    std = np.where(square > 1e-8, np.sqrt(square), 1.0)
    return tuple(np.round(mean, 4).tolist()), tuple(np.round(std, 4).tolist())


def sizes(side, gpu):
    """Side of the crops and of a patch, in pixels."""
    if gpu:
        return (224, 16) if side >= 160 else (96, 8) if side >= 80 else (32, 4)
    return (64, 16) if side >= 80 else (32, 8)


def number_of_epochs(num_images, gpu, small):
    """Few images can be seen often; the budget is in images seen."""
    # Two to three minutes of two cores with the small network, and some twenty with ViT-S.
    budget = 20_000_000 if gpu else 160_000 if small else 20_000
    return int(np.clip(budget // num_images, 8, 400 if gpu else 100))


def batch_size(num_images, gpu):
    """A power of two that gives an epoch at least 16 steps where it can."""
    largest = 256 if gpu else 128
    wanted = 2 ** int(math.log2(max(num_images / 16, 1)))
    return int(np.clip(wanted, min(8, num_images), largest))


def prototypes(num_images):
    """K: more images, more prototypes."""
    steps = (
        (2_000, 256),
        (20_000, 1024),
        (50_000, 2048),
        (100_000, 4096),
        (200_000, 16384),
        (500_000, 32768),
    )
    return next((k for limit, k in steps if num_images <= limit), 65536)


def momentum(num_images):
    """From .99 at 20,000 images to .996 at 1.28 million, by the logarithm of their number."""
    share = math.log(num_images / 20_000) / math.log(1_281_167 / 20_000)
    return round(0.99 + 0.006 * min(max(share, 0.0), 1.0), 4)


def bank_dtype(num_images):
    """Type of the bank's rows for so many images."""
    return "float32" if num_images <= 2_000_000 else "float16"
