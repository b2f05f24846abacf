"""The size of Swin transformer that EsViT trains most."""

from keras_adasim.backbones.swin_transformer import SwinTransformer


def swin_tiny(image_size=224, window_size=7, **kwargs):
    """Swin-T as EsViT has it: 768 features, 27.5 million parameters with windows of 7.

    Args:
        image_size: side in pixels of the square images that the windows are chosen for.
        window_size: side of a window in tokens; EsViT has checkpoints for 7 and 14.
        **kwargs: further arguments of `SwinTransformer`; `drop_path_rate` is 0.1 by default.

    Returns:
        a `SwinTransformer` with random weights.
    """
    arguments = {"drop_path_rate": 0.1, "name": "swin_tiny", **kwargs}
    return SwinTransformer(
        image_size, 4, 96, (2, 2, 6, 2), (3, 6, 12, 24), window_size, **arguments
    )
