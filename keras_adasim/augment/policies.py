"""DINO's photometric policies, one per kind of view.

Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", 2021; the same numbers
as in AdaSim's official code.
"""

from keras_adasim.augment.color_jitter import ColorJitter
from keras_adasim.augment.gaussian_blur import GaussianBlur
from keras_adasim.augment.keras_cv_layers import (
    SEED,
    ConstantFactorSampler,
    Grayscale,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomFlip,
    RandomHue,
    RandomSaturation,
    Solarization,
)
from keras_adasim.augment.random_apply import RandomApply

_RGB_LAYERS = (
    ColorJitter,
    Grayscale,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomHue,
    RandomSaturation,
)
# What XLA compiles for every device; KerasCV's geometric and per-image layers are not among it.
_COMPILABLE_LAYERS = (
    ColorJitter,
    GaussianBlur,
    Grayscale,
    RandomFlip,
    Solarization,
)


def first_view():
    """Layers for the first global view: flip, jitter, gray, and blur for every image."""
    return [*_flip_and_color(), _blur(rate=1.0)]


def second_view():
    """Layers for the second global view: flip, jitter, gray, rare blur, solarization."""
    solarize = Solarization(
        value_range=(0, 255),
        # Keeps values below 128, as Pillow's `solarize` does; KerasCV's default keeps none.
        threshold_factor=ConstantFactorSampler(128.0),
        name="solarize",
        seed=SEED,
        dtype="float32",
    )
    return [
        *_flip_and_color(),
        _blur(rate=0.1),
        RandomApply(solarize, rate=0.2, dtype="float32"),
    ]


def local_view():
    """Layers for local views: flip, jitter, gray, and blur for every other image."""
    return [*_flip_and_color(), _blur(rate=0.5)]


def symmetric_view():
    """Layers for either view of SimSiam: more saturation than DINO's, blur for every other image.

    Reference:
        Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021, as in
        MoCo v2.
    """
    return [*_flip_and_color(saturation=0.4), _blur(rate=0.5)]


def needs_rgb(layer):
    """Whether a layer, or the one within a `RandomApply`, makes sense for RGB images only."""
    if isinstance(layer, RandomApply):
        return needs_rgb(layer.layer)
    return isinstance(layer, _RGB_LAYERS)


def is_compilable(layer):
    """Whether XLA is known to compile a layer, or the one within a `RandomApply`."""
    if isinstance(layer, RandomApply):
        return is_compilable(layer.layer)
    return isinstance(layer, _COMPILABLE_LAYERS)


def _flip_and_color(saturation=0.2):
    jitter = ColorJitter(0.4, 0.4, saturation, 0.1, name="color_jitter", dtype="float32")
    gray = Grayscale(output_channels=3, name="grayscale", seed=SEED, dtype="float32")
    return [
        RandomFlip("horizontal", name="flip", seed=SEED, dtype="float32"),
        RandomApply(jitter, rate=0.8, dtype="float32"),
        RandomApply(gray, rate=0.2, dtype="float32"),
    ]


def _blur(rate):
    return RandomApply(
        GaussianBlur((0.1, 2.0), name="blur", dtype="float32"), rate, dtype="float32"
    )
