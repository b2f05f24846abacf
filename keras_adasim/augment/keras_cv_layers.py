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
    "AugmentationLayer",
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

# Without a seed a layer takes the process' global generator, which isn't there where TensorFlow's
# operations are to be deterministic. What ours draw comes from a `KeyedGenerator`.
SEED = 1


class AugmentationLayer(VectorizedBaseImageAugmentationLayer):
    """Base of our own layers.

    Args:
        seed: Seed of the layer's own generator, which a `KeyedGenerator` stands in for.
        **kwargs: Arguments of a Keras layer.
    """

    def __init__(self, seed=SEED, **kwargs):
        super().__init__(seed=seed, **kwargs)
