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

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="resnet50",
        objective="nnclr",
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
