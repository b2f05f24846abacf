"""What every contestant does in a case, and the files that it does it with; no framework here."""

import dataclasses
import pathlib

import numpy as np
import skimage.data
from PIL import Image

KINDS = ("step", "input", "whole")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GLOBAL_SCALE, LOCAL_SCALE = (0.4, 1.0), (0.05, 0.4)
MOMENTUM = 0.996


@dataclasses.dataclass(frozen=True)
class Work:
    """The settings of a case, equal for all.

    Attributes:
        backbone: "vit_mini", "vit_tiny", "vit_small" or "resnet18_cifar".
        image_size: Side of the global crops in pixels.
        patch_size: Side of a ViT's patch in pixels.
        objective: "dino", "byol" or "simsiam".
        optimizer: "adamw", with gradients clipped to 3 one by one, or "sgd" with momentum 0.9.
        batch_size: Images of a step.
        out_dim: DINO's prototypes K, or the width of projections.
        hidden_dim: Width of the heads' hidden layers.
        file_size: Width and height of the JPEG files in pixels.
        num_local: Local crops of an image, beside the two global ones.
        local_size: Side of the local crops in pixels.
        precision: "float32" or "bfloat16".
        interpolation: "bicubic" or "bilinear", of the crops.
        bank: Rows of the bank that is asked and written in every step; 0 for none.
        topk: Neighbors asked for.
        steps: Steps of a round.
        threads: Threads, and processes of a loader.
        folder: Folder with one sub-folder of images, `steps` times `batch_size` of them.
        official: Folder with the official AdaSim code, or "".
    """

    backbone: str
    image_size: int
    patch_size: int
    objective: str
    optimizer: str
    batch_size: int
    out_dim: int
    hidden_dim: int
    file_size: tuple
    num_local: int = 0
    local_size: int = 0
    precision: str = "float32"
    interpolation: str = "bicubic"
    bank: int = 50_000
    topk: int = 10
    steps: int = 8
    threads: int = 1
    folder: str = ""
    official: str = ""

    @property
    def images(self):
        """Images of a round."""
        return self.steps * self.batch_size

    @property
    def learning_rate(self):
        """That of the optimizer; it changes no work."""
        return {"adamw": 5e-4, "sgd": 0.06}[self.optimizer]

    @property
    def weight_decay(self):
        """That of the optimizer."""
        return {"adamw": 0.04, "sgd": 5e-4}[self.optimizer]

    @property
    def clipnorm(self):
        """Largest norm of each gradient, or None."""
        return {"adamw": 3.0, "sgd": None}[self.optimizer]

    @property
    def sizes(self):
        """Side of every view in pixels."""
        return (self.image_size,) * 2 + (self.local_size,) * self.num_local

    def ready_views(self, channels_last):
        """The same normalized views for everyone, one batch, as float32 arrays."""
        rng = np.random.default_rng(0)
        views = [rng.normal(size=(self.batch_size, s, s, 3)).astype("float32") for s in self.sizes]
        return views if channels_last else [view.transpose(0, 3, 1, 2).copy() for view in views]


SMALL_FILES, PHOTOGRAPHS = (32, 32), (500, 375)
RESNET = dict(backbone="resnet18_cifar", image_size=32, patch_size=4, optimizer="sgd")
RESNET |= dict(batch_size=128, file_size=SMALL_FILES)
CASES = {
    "vit_tiny": Work("vit_tiny", 32, 4, "dino", "adamw", 128, 4096, 2048, SMALL_FILES),
    "vit_small": Work("vit_small", 224, 16, "dino", "adamw", 64, 65536, 2048, PHOTOGRAPHS),
    "resnet18_byol": Work(objective="byol", out_dim=256, hidden_dim=4096, **RESNET),
    "resnet18_simsiam": Work(objective="simsiam", out_dim=2048, hidden_dim=2048, **RESNET),
}
# Sizes that tell nothing but that it runs.
TINY = dict(batch_size=4, out_dim=32, hidden_dim=16, bank=64, topk=4, steps=2)


def make_files(folder, number, size):
    """Writes crops of photographs as JPEG files into one sub-folder, of (width, height) pixels."""
    photographs = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    rng = np.random.default_rng(0)
    place = pathlib.Path(folder) / "photographs"
    place.mkdir(parents=True)
    for i in range(number):
        image = np.roll(photographs[i % 3], rng.integers(100, size=2), (0, 1))
        Image.fromarray(image).resize(size, Image.BICUBIC).save(place / f"{i:05d}.jpg", quality=90)
