"""MoCo-v3, ViT-S/16 with twelve heads, ImageNet-1k.

Paper: Chen, Xie and He, "An Empirical Study of Training Self-Supervised Vision Transformers", ICCV
2021; settings of the official code: AdamW of 1.5e-4 per 256 images, weight decay 0.1, batch 1024,
300 epochs of which 40 warm up, temperature 0.2, momentum 0.99 to 1, frozen patch embedding.

The official ViT has fixed sine-cosine position embeddings; these are learned.

Hardware: 8 GPUs of 80 GB. Time: not measured with this code.
Expected: no figure of this recipe was measured yet.

    python recipes/mocov3_vit_small.py --data_dir=imagenet
    python recipes/mocov3_vit_small.py --data_dir=imagenet --pairing=adasim
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
    predictor_last_norm,
    contrastive_temperature,
):
    """MoCo-v3's objective."""
    return objectives.MoCoV3(
        projection_dim,
        projector_hidden_dim,
        projector_layers,
        predictor_last_norm,
        contrastive_temperature,
    )


METHOD = Method(
    "moco_v3",
    objective,
    settings={
        "predictor_last_norm": Setting(
            "plain", "Batch normalisation of the predictor's output.", ("plain", "none")
        ),
    },
    # lightly has no MoCo-v3; these are the paper's for ResNets, with BYOL's widths.
    cifar10={
        "projection_dim": 256,
        "projector_hidden_dim": 1024,
        "predictor_last_norm": "none",
        "contrastive_temperature": 1.0,
        "policy": "dino",
    },
)

if __name__ == "__main__":
    runner.main(
        networks.moco_vit_small,
        METHOD,
        pairing="self",
        batch_size=1024,
        epochs=300,
        drop_path_rate=0.0,
        projector_layers=3,
        contrastive_temperature=0.2,
        learning_rate=1.5e-4,
        final_learning_rate=0.0,
        warmup_epochs=40,
        weight_decay=0.1,
        final_weight_decay=0.1,
        clipnorm=0.0,
        momentum=0.99,
        global_scale=(0.08, 1.0),
    )
