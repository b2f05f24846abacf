"""AdaSim with EsViT's objective, Swin-T with windows of 7, ImageNet-1k.

Paper: Li et al., "Efficient Self-supervised Vision Transformers", ICLR 2022, whose README gives the
settings: two crops of 224 and eight of 96, 300 epochs, views alone for 200 epochs and views and
regions from then on. The partners are AdaSim's.

Hardware: 16 GPUs. Time: not measured with this code.
Expected: for plain EsViT with two crops, 300 epochs, views and regions, its authors report 67.56 %
k-NN and 72.02 % linear (microsoft/esvit#3). No figure of this recipe was measured yet.

    python recipes/adasim_swin_tiny.py --data_dir=imagenet
    python recipes/adasim_swin_tiny.py --data_dir=imagenet --window_size=14 --pairing=self
"""

from keras_adasim.commands import pretrain

if __name__ == "__main__":
    pretrain.main(
        backbone="swin_tiny",
        objective="esvit",
        batch_size=512,
        epochs=300,
        norm_last_layer=False,
        warmup_teacher_temperature_epochs=30,
        teacher_temperature=0.07,
        freeze_last_layer_epochs=1,
        region_start_epoch=200,
        num_local=8,
    )
