"""Backbones: images to `{"features": (B, D), "tokens": (B, P, D)}`."""

from keras_adasim.backbones.adapt import adapt
from keras_adasim.backbones.adapted_backbone import AdaptedBackbone
from keras_adasim.backbones.registry import PRESETS, get
from keras_adasim.backbones.resnet import ResNet
from keras_adasim.backbones.resnet_presets import resnet18_cifar, resnet50
from keras_adasim.backbones.swin_presets import swin_tiny
from keras_adasim.backbones.swin_transformer import SwinTransformer
from keras_adasim.backbones.torch_checkpoint import read_checkpoint
from keras_adasim.backbones.torch_weights import (
    load_torch_weights,
    save_torch_weights,
    torch_state,
)
from keras_adasim.backbones.vision_transformer import VisionTransformer
from keras_adasim.backbones.vision_transformer_presets import (
    vit_base,
    vit_mini,
    vit_small,
    vit_tiny,
)

__all__ = [
    "PRESETS",
    "AdaptedBackbone",
    "ResNet",
    "SwinTransformer",
    "VisionTransformer",
    "adapt",
    "get",
    "load_torch_weights",
    "read_checkpoint",
    "resnet18_cifar",
    "resnet50",
    "save_torch_weights",
    "swin_tiny",
    "torch_state",
    "vit_base",
    "vit_mini",
    "vit_small",
    "vit_tiny",
]
