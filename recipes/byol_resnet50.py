"""BYOL, ResNet-50, ImageNet-1k.

Paper: Grill et al., "Bootstrap Your Own Latent", NeurIPS 2020; settings for 100 epochs as in
deepmind-research: LARS of 0.45 per 256 images, weight decay 1e-6, momentum 0.99, batch 4096. For
300 epochs --learning_rate=0.3, for 1000 --learning_rate=0.2 --weight_decay=1.5e-6
--final_weight_decay=1.5e-6 --momentum=0.996.

Hardware: 32 GPUs or more; on fewer, --gradient_accumulation_steps keeps the batch size, though not
the batch that BatchNormalization sees. Time: not measured with this code.
Expected: no figure of this recipe was measured yet.

    python recipes/byol_resnet50.py --data_dir=imagenet
    python recipes/byol_resnet50.py --data_dir=imagenet --pairing=adasim
"""

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="resnet50",
        objective="byol",
        pairing="self",
        zero_init_residual=True,
        batch_size=4096,
        optimizer="lars",
        learning_rate=0.45,
        final_learning_rate=0.0,
        weight_decay=1e-6,
        final_weight_decay=1e-6,
        clipnorm=0.0,
        momentum=0.99,
        global_scale=(0.08, 1.0),
    )
