"""AdaSim at work in about three minutes on two cores; `make pretrain` runs it.

Without --data_dir it learns from patches of the photographs in scikit-image's wheel, the
photograph being the label. With --data_dir it learns from a folder of images, by class or flat,
with settings chosen from their number and size. Every setting is a flag, as in all recipes.

Expected, for the patches: the gate opens for a share of the images, and the teacher's k-NN is well
above that of the untrained network, which is above that of raw pixels. README has the figures.

    make pretrain
    make pretrain DATA=folder
    python recipes/pretrain.py --data_dir=folder --epochs=200
"""

import pathlib

import building
import choosing
import dino
import photographs
import runner
import tensorflow as tf
from settings import pick

from keras_adasim import backbones, command, data


def backbone(image_size, patch_size, drop_path_rate, channels):
    """ViT-S on a GPU; on a CPU one of half a million parameters."""
    sizes = {"image_size": image_size, "patch_size": patch_size}
    more = {"drop_path_rate": drop_path_rate, "channels": channels}
    if tf.config.list_physical_devices("GPU"):
        return backbones.vit_small(**sizes, **more)
    return backbones.VisionTransformer(**sizes, embed_dim=96, depth=4, num_heads=3, **more)


def load(settings):
    """The folder's images, or the photographs' patches, and a name for the run."""
    if settings["data_dir"] or settings["tfds"]:
        name = pathlib.Path(settings["data_dir"] or settings["tfds"]).resolve().name
        loaded = building.load_sources(**pick(building.load_sources, settings))
        return loaded, f"pretrain_{name}"
    train_images, train_labels, test_images, test_labels = photographs.load_patches()
    train = data.ArraySource(train_images, train_labels)
    return (train, data.ArraySource(test_images, test_labels)), "pretrain_photographs"


def main():
    """Loads the images, chooses settings for them, and runs."""
    settings, given = runner.read_flags()
    runner.make_strategy(settings["devices"])  # Before the images are read.
    sources, name = load(settings)
    epochs = settings["epochs"] if "epochs" in given else None
    chosen = {"name": name, **choosing.choose(sources[0], epochs)}
    settings |= {key: value for key, value in chosen.items() if key not in given}
    runner.pretrain(backbone, dino.objective, sources=sources, **settings)


if __name__ == "__main__":
    runner.define_flags()
    command.run(main)
