"""The geometry of the crops, shared by the host's and the device's cropping."""

import keras

from keras_adasim.validation import check_integer, check_range


@keras.saving.register_keras_serializable(package="keras_adasim")
class MultiCrop:
    """Sizes and scales of the global and local crops.

    Two global crops are always cut, the first from the image and the second from its partner;
    local crops are cut from the image. An image without local crops is AdaSim's setting, eight
    of them DINO's multi-crop.

    Args:
        global_size: Side of the global crops in pixels.
        global_scale: Range of a global crop's share of the image's area. A pair of floats in
            (0, 1].
        local_size: Side of the local crops in pixels.
        local_scale: Range of a local crop's share of the image's area. A pair of floats in (0, 1].
        num_local: Number of local crops of each image.
        ratio: Range of the crops' width / height before resizing. A pair of floats.

    Raises:
        ValueError: If a size, a count or a range is out of bounds.

    Example:
        ```python
        crops = ka.augment.MultiCrop(224, local_size=96, num_local=8)
        print(crops.num_views)  # 10
        print(crops.sizes[:3])  # (224, 224, 96)
        ```
    """

    def __init__(
        self,
        global_size=224,
        global_scale=(0.4, 1.0),
        local_size=96,
        local_scale=(0.05, 0.4),
        num_local=0,
        ratio=(3 / 4, 4 / 3),
    ):
        self.global_size = check_integer("global_size", global_size)
        self.global_scale = check_range("global_scale", global_scale, maximum=1)
        self.local_size = check_integer("local_size", local_size)
        self.local_scale = check_range("local_scale", local_scale, maximum=1)
        self.num_local = check_integer("num_local", num_local, minimum=0)
        self.ratio = check_range("ratio", ratio)

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
