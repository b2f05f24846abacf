"""NNCLR, ResNet-50, ImageNet-1k.

Paper: Dwibedi et al., "With a Little Help from My Friends", ICCV 2021: projector 2048-2048-256,
predictor 4096-256, queue of 98,304, temperature 0.1, batch 4096, LARS. The learning rate, 0.3 per
256 images, is lightly's and wasn't verified against the paper's code, which isn't public.

Hardware: 32 GPUs or more. Time: not measured with this code.
Expected: the paper reports 75.6 % linear after 1000 epochs. No figure of this recipe was measured
yet.

    python recipes/nnclr_resnet50.py --data_dir=imagenet --epochs=1000
    python recipes/nnclr_resnet50.py --data_dir=imagenet --pairing=adasim
"""

import networks
import runner
from method import Method
from settings import Setting

from keras_adasim import objectives


def objective(
    projection_dim,
    projector_hidden_dim,
    projector_layers,
    predictor_hidden_dim,
    queue_size,
    contrastive_temperature,
    seed,
):
    """NNCLR's objective."""
    return objectives.NNCLR(
        projection_dim,
        projector_hidden_dim,
        projector_layers,
        predictor_hidden_dim,
        queue_size,
        contrastive_temperature,
        seed,
    )


METHOD = Method(
    "nnclr",
    objective,
    settings={
        "queue_size": Setting(98_304, "Rows of NNCLR's queue."),
    },
    cifar10={
        "projection_dim": 256,
        "projector_hidden_dim": 2048,
        "predictor_hidden_dim": 4096,
        "queue_size": 4096,
        "contrastive_temperature": 0.5,
    },
)

if __name__ == "__main__":
    runner.main(
        networks.resnet50,
        METHOD,
        pairing="self",
        batch_size=4096,
        projector_hidden_dim=2048,
        projector_layers=3,
        optimizer="lars",
        learning_rate=0.3,
        final_learning_rate=0.0,
        weight_decay=1e-6,
        final_weight_decay=1e-6,
        clipnorm=0.0,
        policy="symmetric",
        global_scale=(0.08, 1.0),
    )
