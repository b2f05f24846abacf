"""What this package takes from KerasCV; no other module imports it.

KerasCV is frozen at 0.9.0 and reaches into Keras' private modules: the day a release of Keras
breaks it, this is the place to put something else.
"""

from keras_cv.core import ConstantFactorSampler
from keras_cv.layers import (
    Grayscale,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomFlip,
    RandomHue,
    RandomSaturation,
    Solarization,
    VectorizedBaseImageAugmentationLayer,
)

__all__ = [
    "ConstantFactorSampler",
    "Grayscale",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomFlip",
    "RandomHue",
    "RandomSaturation",
    "Solarization",
    "VectorizedBaseImageAugmentationLayer",
]
