"""The sizes of vision transformer that the literature compares, and one for a CPU."""

from keras_adasim.backbones.vision_transformer import VisionTransformer


def vit_mini(image_size=224, patch_size=16, num_heads=3, drop_path_rate=0.0, **kwargs):
    """ViT for a CPU: 96 wide, 4 blocks, 3 heads, half a million parameters.

    Args:
        image_size: Side in pixels of the square images that the position embeddings are for.
        patch_size: Side of a patch in pixels; must divide `image_size`.
        num_heads: Attention heads of a block; must divide 96.
        drop_path_rate: Probability of leaving the last block out in training; the earlier blocks'
            grow linearly from 0 to it.
        **kwargs: Further arguments of `VisionTransformer`, such as `channels`.

    Returns:
        `VisionTransformer` with random weights.
    """
    return _vit("vit_mini", image_size, patch_size, 96, 4, num_heads, drop_path_rate, kwargs)


def vit_tiny(image_size=224, patch_size=16, num_heads=3, drop_path_rate=0.0, **kwargs):
    """ViT-Ti: 192 wide, 12 blocks, 3 heads, 5.5 million parameters.

    Args:
        image_size: Side in pixels of the square images that the position embeddings are for.
        patch_size: Side of a patch in pixels; must divide `image_size`.
        num_heads: Attention heads of a block; must divide 192.
        drop_path_rate: Probability of leaving the last block out in training; the earlier blocks'
            grow linearly from 0 to it.
        **kwargs: Further arguments of `VisionTransformer`, such as `channels`.

    Returns:
        `VisionTransformer` with random weights.
    """
    return _vit("vit_tiny", image_size, patch_size, 192, 12, num_heads, drop_path_rate, kwargs)


def vit_small(image_size=224, patch_size=16, num_heads=6, drop_path_rate=0.0, **kwargs):
    """ViT-S: 384 wide, 12 blocks, 6 heads, 21.7 million parameters.

    Args:
        image_size: Side in pixels of the square images that the position embeddings are for.
        patch_size: Side of a patch in pixels; must divide `image_size`.
        num_heads: Attention heads of a block; must divide 384. MoCo-v3's ViT-S has 12.
        drop_path_rate: Probability of leaving the last block out in training; the earlier blocks'
            grow linearly from 0 to it.
        **kwargs: Further arguments of `VisionTransformer`, such as `channels`.

    Returns:
        `VisionTransformer` with random weights.
    """
    return _vit("vit_small", image_size, patch_size, 384, 12, num_heads, drop_path_rate, kwargs)


def vit_base(image_size=224, patch_size=16, num_heads=12, drop_path_rate=0.0, **kwargs):
    """ViT-B: 768 wide, 12 blocks, 12 heads, 85.8 million parameters.

    Args:
        image_size: Side in pixels of the square images that the position embeddings are for.
        patch_size: Side of a patch in pixels; must divide `image_size`.
        num_heads: Attention heads of a block; must divide 768.
        drop_path_rate: Probability of leaving the last block out in training; the earlier blocks'
            grow linearly from 0 to it.
        **kwargs: Further arguments of `VisionTransformer`, such as `channels`.

    Returns:
        `VisionTransformer` with random weights.
    """
    return _vit("vit_base", image_size, patch_size, 768, 12, num_heads, drop_path_rate, kwargs)


def _vit(name, image_size, patch_size, embed_dim, depth, num_heads, drop_path_rate, kwargs):
    arguments = {"name": name, "drop_path_rate": drop_path_rate, **kwargs}
    return VisionTransformer(image_size, patch_size, embed_dim, depth, num_heads, **arguments)
