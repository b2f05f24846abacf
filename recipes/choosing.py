"""Settings for a set of images, from their number and size."""

import math

import numpy as np
import tensorflow as tf

# Images seen in all on a CPU, but at least eight epochs: two to three minutes on two cores.
CPU_IMAGES = 160_000


def choose(source, epochs=None):
    """Settings for a source of images on this machine.

    The prototypes and the momentum follow lightly-train's scaling of DINO to small sets, less for
    sets below 2,000 images; the window is an eighth of the epochs, so that the gate has time to
    open.

    Args:
        source: a source of `keras_adasim.data`.
        epochs: how many epochs are wanted; from the number of images by default.

    Returns:
        dictionary of settings.
    """
    gpu = bool(tf.config.list_physical_devices("GPU"))
    num_images, side = len(source), typical_side(source)
    image_size, patch_size = sizes(side, gpu)
    epochs = epochs or number_of_epochs(num_images, gpu)
    return {
        "image_size": image_size,
        "patch_size": patch_size,
        "local_size": image_size // 2,
        "epochs": epochs,
        "window": max(1, epochs // 8),
        "warmup_epochs": min(max(1, epochs // 20), epochs - 1),
        "knn_every": max(1, epochs // 25),
        "batch_size": batch_size(num_images, gpu),
        "out_dim": prototypes(num_images),
        "momentum": momentum(num_images),
        "sampling_temperature": 0.01,
        "hidden_dim": 2048 if gpu else 256,
        "bottleneck_dim": 256 if gpu else 64,
        "learning_rate": 5e-4 if gpu else 2e-3,
        "drop_path_rate": 0.1 if gpu else 0.0,
        "xla": "yes",  # Compiling takes less time than it saves.
        "leave_out": () if image_size > 64 else ("blur",),
    }


def typical_side(source, samples=32):
    """Median of the shorter sides of some images, in pixels."""
    indices = np.linspace(0, len(source) - 1, min(samples, len(source)), dtype=int)
    return int(np.median([min(source[int(i)].shape[:2]) for i in indices]))


def sizes(side, gpu):
    """Side of the crops and of a patch: 16 patches on a CPU, 196 of large images on a GPU."""
    if gpu:
        return (224, 16) if side >= 160 else (96, 8) if side >= 80 else (32, 4)
    return (64, 16) if side >= 80 else (32, 8)


def number_of_epochs(num_images, gpu):
    """Few images can be seen often."""
    budget = 20_000_000 if gpu else CPU_IMAGES
    return int(np.clip(budget // num_images, 8, 400 if gpu else 100))


def batch_size(num_images, gpu):
    """A power of two that gives an epoch at least 16 steps where it can."""
    largest = 256 if gpu else 128
    wanted = 2 ** int(math.log2(max(num_images / 16, 1)))
    return int(np.clip(wanted, min(8, num_images), largest))


def prototypes(num_images):
    """K: more images, more prototypes."""
    steps = ((2_000, 256), (20_000, 1024), (50_000, 2048), (100_000, 4096), (200_000, 16384))
    return next((k for limit, k in steps if num_images <= limit), 65536)


def momentum(num_images):
    """From .99 at 20,000 images to .996 at 1.28 million, by the logarithm of their number."""
    share = math.log(num_images / 20_000) / math.log(1_281_167 / 20_000)
    return round(0.99 + 0.006 * min(max(share, 0.0), 1.0), 4)
