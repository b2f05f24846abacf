"""AdaSim with EsViT's objective, Swin-T with windows of 7, ImageNet-1k.

Paper: Li et al., "Efficient Self-supervised Vision Transformers", ICLR 2022, whose README gives the
settings: two crops of 224 and eight of 96, 300 epochs, views alone for 200 epochs and views and
regions from then on. The partners are AdaSim's.

Hardware: 16 GPUs. Time: not measured with this code.
Expected: for plain EsViT with two crops, 300 epochs, views and regions, its authors report 67.56 %
k-NN and 72.02 % linear (microsoft/esvit#3). No figure of this recipe was measured yet.

    python recipes/adasim_swin_tiny.py --data_dir=imagenet
    python recipes/adasim_swin_tiny.py --data_dir=imagenet --attention_window=14 --pairing=self
"""

import dino
import networks
import runner
from method import Method
from settings import Setting, pick

from keras_adasim import objectives


def objective(steps_per_epoch, region_start_epoch, **settings):
    """EsViT's: DINO's settings, and the epoch from which regions are compared too."""
    settings["steps_per_epoch"] = steps_per_epoch
    arguments = dino.arguments(**pick(dino.arguments, settings))
    return objectives.EsViT(**arguments, region_start_step=region_start_epoch * steps_per_epoch)


METHOD = Method(
    "esvit",
    objective,
    settings={
        "region_start_epoch": Setting(0, "Epoch from which EsViT compares regions too."),
    },
    cifar10={
        "out_dim": 2048,
        "head_layers": 2,
        "teacher_temperature": 0.04,
        "freeze_last_layer_epochs": 0,
        "policy": "dino",
        "global_scale": (0.4, 1.0),
    },
)

if __name__ == "__main__":
    runner.main(
        networks.swin_tiny,
        METHOD,
        batch_size=512,
        epochs=300,
        norm_last_layer=False,
        warmup_teacher_temperature_epochs=30,
        teacher_temperature=0.07,
        region_start_epoch=200,
        num_local=8,
    )
