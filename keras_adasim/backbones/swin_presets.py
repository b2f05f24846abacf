"""The size of Swin transformer that EsViT trains most."""

from keras_adasim.backbones.swin_transformer import SwinTransformer


def swin_tiny(image_size=224, window_size=7, drop_path_rate=0.1, **kwargs):
    """Swin-T as EsViT has it: 768 features, 27.5 million parameters with windows of 7.

    Args:
        image_size: Side in pixels of the square images that the windows are chosen for.
        window_size: Side of a window in tokens; EsViT has checkpoints for 7 and 14.
        drop_path_rate: Probability of leaving the last block out in training; the earlier blocks'
            grow linearly from 0 to it.
        **kwargs: Further arguments of `SwinTransformer`, such as `channels`.

    Returns:
        `SwinTransformer` with random weights.
    """
    arguments = {"name": "swin_tiny", "drop_path_rate": drop_path_rate, **kwargs}
    return SwinTransformer(
        image_size, 4, 96, (2, 2, 6, 2), (3, 6, 12, 24), window_size, **arguments
    )
