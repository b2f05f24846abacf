"""SimCLR, ResNet-50, ImageNet-1k.

Paper: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML
2020: projector 2048-128, temperature 0.1, LARS of 0.3 per 256 images, weight decay 1e-6, batch
4096, 100 epochs. Its color jitter is twice as strong as the one used here.

Hardware: 32 GPUs or more. Time: not measured with this code.
Expected: no figure of this recipe was measured yet.

    python recipes/simclr_resnet50.py --data_dir=imagenet
    python recipes/simclr_resnet50.py --data_dir=imagenet --pairing=adasim
"""

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="resnet50",
        objective="simclr",
        pairing="self",
        batch_size=4096,
        optimizer="lars",
        learning_rate=0.3,
        final_learning_rate=0.0,
        weight_decay=1e-6,
        final_weight_decay=1e-6,
        clipnorm=0.0,
        policy="symmetric",
        global_scale=(0.08, 1.0),
    )
