"""The geometry of the crops, shared by the host's and the device's cropping."""

import numbers

import keras


@keras.saving.register_keras_serializable(package="keras_adasim")
class MultiCrop:
    """Sizes and scales of the global and local crops.

    Two global crops are always cut, the first from the image and the second from its partner;
    local crops are cut from the image. An image without local crops is AdaSim's setting, eight
    of them DINO's multi-crop.

    Args:
        global_size: Integer. Side of the global crops in pixels.
        global_scale: Pair of floats in (0, 1]. Share of the image's area that a global crop has.
        local_size: Integer. Side of the local crops in pixels.
        local_scale: Pair of floats in (0, 1]. Share of the area that a local crop has.
        num_local: Integer. Local crops of each image.
        ratio: Pair of floats. Range of the crops' width / height before resizing.

    Raises:
        ValueError: If a size, a count or a range is out of bounds.
    """

    def __init__(
        self,
        global_size,
        global_scale=(0.4, 1.0),
        local_size=96,
        local_scale=(0.05, 0.4),
        num_local=0,
        ratio=(3 / 4, 4 / 3),
    ):
        check_size("global_size", global_size)
        check_size("local_size", local_size)
        check_scale("global_scale", global_scale)
        check_scale("local_scale", local_scale)
        check_ratio(ratio)
        if not isinstance(num_local, numbers.Integral) or num_local < 0:
            raise ValueError(
                "Expected `num_local` to be an integer of at least 0. "
                f"Received: num_local={num_local!r}"
            )
        self.global_size = int(global_size)
        self.global_scale = tuple(global_scale)
        self.local_size = int(local_size)
        self.local_scale = tuple(local_scale)
        self.num_local = int(num_local)
        self.ratio = tuple(ratio)

    @property
    def num_views(self):
        """Number of views of one image, global and local."""
        return 2 + self.num_local

    @property
    def sizes(self):
        """Side of every view in pixels, in the order of the views."""
        return (self.global_size,) * 2 + (self.local_size,) * self.num_local

    @property
    def scales(self):
        """Range of the area of every view, in the order of the views."""
        return (self.global_scale,) * 2 + (self.local_scale,) * self.num_local

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "global_size": self.global_size,
            "global_scale": self.global_scale,
            "local_size": self.local_size,
            "local_scale": self.local_scale,
            "num_local": self.num_local,
            "ratio": self.ratio,
        }

    @classmethod
    def from_config(cls, config):
        """Builds the geometry from `get_config`."""
        return cls(**config)

    def __repr__(self):
        arguments = ", ".join(f"{name}={value}" for name, value in self.get_config().items())
        return f"MultiCrop({arguments})"


def check_size(name, size):
    """Raises ValueError unless `size` is a positive number of pixels."""
    if not isinstance(size, numbers.Integral) or size < 1:
        raise ValueError(f"Expected `{name}` to be a positive integer. Received: {name}={size!r}")


def check_scale(name, scale):
    """Raises ValueError unless `scale` is a range of shares of an area."""
    if len(scale) != 2 or not 0 < scale[0] <= scale[1] <= 1:
        raise ValueError(
            f"Expected `{name}` to be (low, high) with 0 < low <= high <= 1. "
            f"Received: {name}={scale}"
        )


def check_ratio(ratio):
    """Raises ValueError unless `ratio` is a range of aspect ratios."""
    if len(ratio) != 2 or not 0 < ratio[0] <= ratio[1]:
        raise ValueError(
            f"Expected `ratio` to be (low, high) with 0 < low <= high. Received: ratio={ratio}"
        )
