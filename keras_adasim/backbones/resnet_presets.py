"""The residual networks that the literature on self-supervision compares."""

from keras_adasim.backbones.resnet import ResNet


def resnet50(image_size=224, zero_init_residual=False, **kwargs):
    """ResNet-50 as in torchvision: 2048 features, 23.5 million parameters.

    Args:
        image_size: Side in pixels of the images that it is meant for; changes no weight.
        zero_init_residual: Whether every block starts as the identity.
        **kwargs: Further arguments of `ResNet`, such as `channels`.

    Returns:
        `ResNet` with random weights.
    """
    arguments = {"bottleneck": True, "name": "resnet50", **kwargs}
    return ResNet(
        image_size,
        (64, 128, 256, 512),
        (3, 4, 6, 3),
        zero_init_residual=zero_init_residual,
        **arguments,
    )


def resnet18_cifar(image_size=32, zero_init_residual=False, **kwargs):
    """ResNet-18 for images of 32 pixels: 512 features, 11.2 million parameters.

    Its stem is a 3x3 convolution with a stride of 1, without pooling, as in the benchmarks of
    self-supervision on CIFAR-10 (lightly, solo-learn).

    Args:
        image_size: Side in pixels of the images that it is meant for; changes no weight.
        zero_init_residual: Whether every block starts as the identity.
        **kwargs: Further arguments of `ResNet`, such as `channels`.

    Returns:
        `ResNet` with random weights.
    """
    arguments = {"stem": "cifar", "name": "resnet18_cifar", **kwargs}
    return ResNet(
        image_size,
        (64, 128, 256, 512),
        (2, 2, 2, 2),
        zero_init_residual=zero_init_residual,
        **arguments,
    )
