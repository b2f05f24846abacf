"""Augmentation on the accelerator: pipelines of KerasCV layers with DINO's policy."""

from keras_adasim.augment.color_jitter import ColorJitter
from keras_adasim.augment.dino_augment import DINOAugment
from keras_adasim.augment.gaussian_blur import GaussianBlur
from keras_adasim.augment.keyed_generator import KeyedGenerator, drawing_from
from keras_adasim.augment.multi_crop import MultiCrop
from keras_adasim.augment.normalize import Normalize
from keras_adasim.augment.policies import (
    first_view,
    local_view,
    second_view,
    symmetric_view,
)
from keras_adasim.augment.random_apply import RandomApply
from keras_adasim.augment.random_resized_crop import RandomResizedCrop

__all__ = [
    "ColorJitter",
    "DINOAugment",
    "GaussianBlur",
    "KeyedGenerator",
    "MultiCrop",
    "Normalize",
    "RandomApply",
    "RandomResizedCrop",
    "drawing_from",
    "first_view",
    "local_view",
    "second_view",
    "symmetric_view",
]
