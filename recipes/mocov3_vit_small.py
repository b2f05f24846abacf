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

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="vit_small",
        objective="moco_v3",
        pairing="self",
        num_heads=12,
        batch_size=1024,
        epochs=300,
        learning_rate=1.5e-4,
        final_learning_rate=0.0,
        warmup_epochs=40,
        weight_decay=0.1,
        final_weight_decay=0.1,
        clipnorm=0.0,
        momentum=0.99,
        global_scale=(0.08, 1.0),
    )
