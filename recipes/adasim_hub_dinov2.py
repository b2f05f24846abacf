"""A public foundation model, continued on images of your own: DINOv2 ViT-S/14 with AdaSim's pairs.

Weights: `dinov2_small` of KerasHub (Oquab et al., "DINOv2: Learning Robust Visual Features without
Supervision", 2023), which KerasHub fetches; any other image preset goes by --backbone=hub:PRESET,
DINOv3's too, a name or a folder. Settings: none of a paper. A rate a fifth of AdaSim's, so that
what the weights know is not lost, two crops of the preset's own size, and a new head.

Hardware: one GPU. Time: not measured with this code.
Expected: no figure of this recipe was measured yet; compare `keras-adasim knn` before and after.

    pip install 'keras-adasim[hub]'
    python recipes/adasim_hub_dinov2.py --data_dir=photos --epochs=20 --window=5
    keras-adasim export --backbone=runs/adasim_hub_dinov2 --format=preset --out=dinov2_photos
"""

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="hub:dinov2_small",
        objective="dino",
        batch_size=64,
        epochs=50,
        window=10,
        warmup_epochs=2,
        learning_rate=1e-4,
        final_learning_rate=1e-6,
        out_dim=4096,
        freeze_last_layer_epochs=1,
    )
