"""SimSiam, ResNet-50, ImageNet-1k.

Paper: Chen and He, "Exploring Simple Siamese Representation Learning", CVPR 2021; settings of the
official code: SGD of 0.05 per 256 images, weight decay 1e-4, batch 512, 100 epochs without warm-up,
crops of scale (0.2, 1), the predictor's learning rate constant.

Hardware: 8 GPUs. Time: not measured with this code.
Expected: no figure of this recipe was measured yet.

    python recipes/simsiam_resnet50.py --data_dir=imagenet
    python recipes/simsiam_resnet50.py --data_dir=imagenet --pairing=adasim
"""

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="resnet50",
        objective="simsiam",
        pairing="self",
        zero_init_residual=True,
        batch_size=512,
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
