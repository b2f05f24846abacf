"""Settings of a fine-tuning: what isn't given is chosen, with a reason."""

import dataclasses
import math

from keras_adasim.validation import check_integer, check_number, check_switch

# From so many images on, mixing them helps more than it slows learning down.
MANY_IMAGES = 10_000
# Few images come as often as that takes.
FEWEST_STEPS = 500
# Crops of less than this many pixels keep more of the image.
SMALL_IMAGE = 96


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a fine-tuning is done with.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images of a step, over all replicas.
        learning_rate: Rate of the classifier after the warm-up, for 256 images a step.
        layer_decay: Factor from one group of layers to the one before it.
        weight_decay: AdamW's, of kernels.
        warmup_epochs: Epochs in which the rate rises.
        mixup: Parameter of mixup's beta distribution; 0 without.
        cutmix: Parameter of CutMix's; 0 without.
        label_smoothing: Share of every label that is spread over all classes.
        drop_path: Probability of leaving a branch of the last block out.
        crop_scale: Smallest share of the area of an image that a crop has.
        reasons: Dict of the names to why they are what they are.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    layer_decay: float
    weight_decay: float
    warmup_epochs: int
    mixup: float
    cutmix: float
    label_smoothing: float
    drop_path: float
    crop_scale: float
    reasons: dict

    def lines(self):
        """Lines that tell all of them with their reasons."""
        for name, reason in self.reasons.items():
            yield f"{name:15} {getattr(self, name):<8g} {reason}"


def choose_settings(num_images, image_size, takes_drop_path, replicas=1, **given):
    """Checks the settings that are given, and chooses the others.

    Args:
        num_images: Number of images that are trained on.
        image_size: Side in pixels of what the network gets to see.
        takes_drop_path: Whether the backbone has blocks that can be left out.
        replicas: Devices that share a batch.
        **given: The attributes of `Settings`; None for what is to be chosen.

    Returns:
        `Settings`.

    Raises:
        ValueError: If one that is given is out of range, or doesn't fit.

    Example:
        ```python
        finetune_settings = ka.evaluation.finetune_settings
        settings = finetune_settings.choose_settings(1000, 32, takes_drop_path=True, epochs=10)
        settings.batch_size, settings.warmup_epochs  # 64, 1
        ```
    """
    num_images = check_integer("num_images", num_images)
    image_size = check_integer("image_size", image_size)
    replicas = check_integer("replicas", replicas)
    check_switch("takes_drop_path", takes_drop_path)
    chosen = _Chosen(given)
    many, small = num_images >= MANY_IMAGES, image_size < SMALL_IMAGE
    why = "16 steps an epoch or more" if num_images >= 256 else "few images"
    batch_size = _batch_size(num_images, replicas)
    batch_size = chosen.add("batch_size", batch_size, why, check_integer)
    _check_batch_size(batch_size, num_images, replicas)
    passes = min(100, max(30, 300_000 // num_images))
    epochs = max(passes, math.ceil(FEWEST_STEPS * batch_size / num_images))
    why = f"{FEWEST_STEPS} steps" if epochs > passes else f"{num_images:,} images"
    epochs = chosen.add("epochs", epochs, why, check_integer)
    rate = 1e-3 * max(1, 64 / batch_size)
    why = "for 256 images a step, in proportion to the batch"
    why += ", but as much a step as 64 have" if batch_size < 64 else ""
    chosen.add("learning_rate", rate, why, check_number, above=0)
    why = "factor of the rate from one block to the one before it"
    chosen.add("layer_decay", 0.75, why, check_number, above=0, maximum=1)
    why = "of kernels, not of biases, norms and positions"
    chosen.add("weight_decay", 0.05, why, check_number, minimum=0)
    why = "a tenth of the epochs, 5 at most"
    warmup = chosen.add("warmup_epochs", min(5, epochs // 10), why, check_integer, minimum=0)
    if warmup > epochs:
        raise ValueError(
            f"Expected `warmup_epochs` of at most epochs={epochs}. Received: warmup_epochs={warmup}"
        )
    why = f"{'from' if many else 'only from'} {MANY_IMAGES:,} images on"
    chosen.add("mixup", 0.8 if many else 0.0, why, check_number, minimum=0)
    chosen.add("cutmix", 1.0 if many else 0.0, why, check_number, minimum=0)
    chosen.add("label_smoothing", 0.1, "as DeiT", check_number, minimum=0, below=1)
    why = "as DeiT" if takes_drop_path else "the backbone has none"
    rate = 0.1 if takes_drop_path else 0.0
    drop_path = chosen.add("drop_path", rate, why, check_number, minimum=0, below=1)
    if drop_path and not takes_drop_path:
        raise ValueError(
            "Expected `drop_path` to be 0, as the backbone has no argument `drop_path_rate`. "
            f"Received: drop_path={drop_path}"
        )
    why = f"of images {'smaller than' if small else 'from'} {SMALL_IMAGE} pixels"
    scale = 0.4 if small else 0.08
    chosen.add("crop_scale", scale, why, check_number, above=0, maximum=1)
    return Settings(**chosen.values, reasons=chosen.reasons)


class _Chosen:
    """Values and reasons, as they come together."""

    def __init__(self, given):
        self.given, self.values, self.reasons = given, {}, {}

    def add(self, name, value, reason, check, **bounds):
        """Takes what is given, else the value; checks and returns it."""
        given = self.given.get(name)
        self.values[name] = check(name, value if given is None else given, **bounds)
        self.reasons[name] = reason if given is None else "given"
        return self.values[name]


def _batch_size(num_images, replicas):
    """A power of two, or all of few images, rounded up to what the replicas share evenly."""
    sixteenth = 2 ** max(4, (num_images // 16).bit_length() - 1)
    return -(-min(256, sixteenth, num_images) // replicas) * replicas


def _check_batch_size(batch_size, num_images, replicas):
    if batch_size % replicas:
        raise ValueError(
            f"Expected `batch_size` that {replicas} devices share evenly. Received: "
            f"batch_size={batch_size}"
        )
    if batch_size >= num_images + replicas:
        raise ValueError(
            f"Expected `batch_size` of at most {num_images}, the images that are trained on. "
            f"Received: batch_size={batch_size}"
        )
