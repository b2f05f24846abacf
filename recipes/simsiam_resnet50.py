"""SimSiam, ResNet-50, ImageNet-1k.

Paper: Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021; settings of the
official code: SGD of 0.05 per 256 images, weight decay 1e-4, batch 512, 100 epochs without warm-up,
crops of scale (0.2, 1), the predictor's learning rate constant.

Hardware: 8 GPUs. Time: not measured with this code.
Expected: no figure of this recipe was measured yet.

    python recipes/simsiam_resnet50.py --data_dir=imagenet
    python recipes/simsiam_resnet50.py --data_dir=imagenet --pairing=adasim
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
    fixed_predictor_rate,
):
    """SimSiam's objective; the predictor's learning rate stays at the peak, as in the paper."""
    return objectives.SimSiam(
        projection_dim,
        projector_hidden_dim,
        projector_layers,
        predictor_hidden_dim,
        predictor_learning_rate="base" if fixed_predictor_rate else None,
    )


METHOD = Method(
    "simsiam",
    objective,
    settings={
        "fixed_predictor_rate": Setting(
            True, "Whether SimSiam's predictor keeps the peak learning rate."
        ),
    },
    cifar10={
        "projection_dim": 2048,
        "projector_hidden_dim": 2048,
        "predictor_hidden_dim": 512,
        "fixed_predictor_rate": False,
    },
)

if __name__ == "__main__":
    runner.main(
        networks.resnet50,
        METHOD,
        pairing="self",
        zero_init_residual=True,
        batch_size=512,
        projection_dim=2048,
        projector_hidden_dim=2048,
        projector_layers=3,
        predictor_hidden_dim=512,
        optimizer="sgd",
        learning_rate=0.05,
        final_learning_rate=0.0,
        warmup_epochs=0,
        weight_decay=1e-4,
        final_weight_decay=1e-4,
        clipnorm=0.0,
        policy="symmetric",
        global_scale=(0.2, 1.0),
    )
