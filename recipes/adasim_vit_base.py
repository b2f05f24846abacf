"""AdaSim, ViT-B/16, ImageNet-1k.

Paper: "Adaptive Similarity Bootstrapping for Self-Distillation", ICCV 2023. It gives no settings
for ViT-B; these are those of CrIBo, by the same authors: two global crops of scale (0.25, 1), 400
epochs, learning rate 7.5e-4 per 256 images, last layer frozen for 3 epochs, clipped at 0.3.

Hardware: 16 or more GPUs of 80 GB. CrIBo trained in float32: --precision=float32.
Time: not measured with this code. Official code: 504 images/s on one H100.
Expected: no figure is published for AdaSim with ViT-B, and none was measured here.

    python recipes/adasim_vit_base.py --data_dir=imagenet
"""

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="vit_base",
        objective="dino",
        batch_size=1024,
        epochs=400,
        drop_path_rate=0.1,
        global_scale=(0.25, 1.0),
        learning_rate=7.5e-4,
        final_learning_rate=2e-6,
        warmup_teacher_temperature_epochs=50,
        teacher_temperature=0.07,
        freeze_last_layer_epochs=3,
        clipnorm=0.3,
    )
