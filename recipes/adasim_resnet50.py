"""AdaSim, ResNet-50, ImageNet-1k.

Paper: "Adaptive Similarity Bootstrapping for Self-Distillation", ICCV 2023. The settings are those
of DINO's README for ResNet-50 (SGD of 0.03 per 256 images, weight decay 1e-4, batch 512, 100
epochs, crops of scale (0.14, 1)), with two crops.

Hardware: 8 GPUs. Time: not measured with this code.
Expected: no figure of this recipe was measured yet, and none is published for AdaSim here.

    python recipes/adasim_resnet50.py --data_dir=imagenet
    python recipes/adasim_resnet50.py --data_dir=imagenet --num_local=8 --local_scale=0.05,0.14
"""

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="resnet50",
        objective="dino",
        batch_size=512,
        optimizer="sgd",
        learning_rate=0.03,
        final_learning_rate=1e-6,
        weight_decay=1e-4,
        final_weight_decay=1e-4,
        clipnorm=0.0,
        freeze_last_layer_epochs=1,
        global_scale=(0.14, 1.0),
    )
