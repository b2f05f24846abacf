"""The sizes of vision transformer that the literature compares."""

from keras_adasim.backbones.vision_transformer import VisionTransformer


def vit_tiny(image_size=224, patch_size=16, **kwargs):
    """ViT-Ti: 192 wide, 12 blocks, 3 heads, 5.5 million parameters.

    Args:
        image_size: side in pixels of the square images that the position embeddings are for.
        patch_size: side of a patch in pixels.
        **kwargs: further arguments of `VisionTransformer`.

    Returns:
        a `VisionTransformer` with random weights.
    """
    return VisionTransformer(image_size, patch_size, 192, 12, 3, **{"name": "vit_tiny", **kwargs})


def vit_small(image_size=224, patch_size=16, **kwargs):
    """ViT-S: 384 wide, 12 blocks, 6 heads, 21.7 million parameters; arguments of `vit_tiny`."""
    return VisionTransformer(image_size, patch_size, 384, 12, 6, **{"name": "vit_small", **kwargs})


def vit_base(image_size=224, patch_size=16, **kwargs):
    """ViT-B: 768 wide, 12 blocks, 12 heads, 85.8 million parameters; arguments of `vit_tiny`."""
    return VisionTransformer(image_size, patch_size, 768, 12, 12, **{"name": "vit_base", **kwargs})
