"""The backbones: from settings to a network; every function takes the settings it names."""

from keras_adasim import backbones


def vit_tiny(image_size, patch_size, drop_path_rate, channels):
    """ViT-Ti."""
    return backbones.vit_tiny(
        image_size, patch_size, drop_path_rate=drop_path_rate, channels=channels
    )


def vit_small(image_size, patch_size, drop_path_rate, channels):
    """ViT-S."""
    return backbones.vit_small(
        image_size, patch_size, drop_path_rate=drop_path_rate, channels=channels
    )


def vit_base(image_size, patch_size, drop_path_rate, channels):
    """ViT-B."""
    return backbones.vit_base(
        image_size, patch_size, drop_path_rate=drop_path_rate, channels=channels
    )


def moco_vit_small(image_size, patch_size, drop_path_rate, channels):
    """MoCo-v3's ViT-S: twelve heads."""
    return backbones.VisionTransformer(
        image_size,
        patch_size,
        embed_dim=384,
        depth=12,
        num_heads=12,
        drop_path_rate=drop_path_rate,
        channels=channels,
        name="vit_small",
    )


def resnet50(image_size, zero_init_residual, channels):
    """ResNet-50."""
    return backbones.resnet50(image_size, zero_init_residual=zero_init_residual, channels=channels)


def resnet18_cifar(image_size, channels):
    """ResNet-18 with a stem for small images."""
    return backbones.resnet18_cifar(image_size, channels=channels)


def swin_tiny(image_size, attention_window, drop_path_rate, channels):
    """Swin-T."""
    return backbones.swin_tiny(
        image_size,
        window_size=attention_window,
        drop_path_rate=drop_path_rate,
        channels=channels,
    )
