"""Official AdaSim or DINO checkpoint to SavedModel.

    python -m evaluation.convert --checkpoint=dino.pth --key=teacher --backbone=vit_small \
        --patch_size=16 --image_size=224 --output=dino_vit_small

The SavedModel takes uint8 or float images of any size: `tf.saved_model.load(output).serve(images)`
gives their features, and `keras_adasim.export.load_backbone(output)` is a trainable Keras layer.
"""

import inspect
import pathlib

from absl import flags

from keras_adasim import backbones, command
from keras_adasim.export import export_backbone

BACKBONES = ("vit_tiny", "vit_small", "vit_base", "resnet18_cifar", "resnet50", "swin_tiny")


def define_flags():
    """Defines the command's flags."""
    flags.DEFINE_string("checkpoint", None, "A .pth, .safetensors or .npz file.", required=True)
    flags.DEFINE_string("key", None, "The network to take, such as teacher, if there are several.")
    flags.DEFINE_enum("backbone", None, BACKBONES, "The checkpoint's backbone.", required=True)
    flags.DEFINE_integer("patch_size", 16, "Side of a ViT's patches in pixels.", lower_bound=1)
    flags.DEFINE_integer("image_size", 224, "Side in pixels that images get.", lower_bound=1)
    flags.DEFINE_integer("trained_size", 0, "That of a ViT's training, if it is another one.")
    flags.DEFINE_string("output", None, "Folder to write.", required=True)
    flags.DEFINE_bool("overwrite", False, "Replace an export that stands there.")


def main():
    """Reads the flags and converts."""
    names = inspect.signature(convert).parameters
    convert(**{name: flags.FLAGS[name].value for name in names})


def convert(
    checkpoint,
    backbone,
    output,
    key=None,
    patch_size=16,
    image_size=224,
    trained_size=0,
    overwrite=False,
):
    """Builds a backbone, fills it with a checkpoint's weights and exports it.

    Args:
        checkpoint: .pth, .safetensors or .npz file with PyTorch's names.
        backbone: name of a preset in `keras_adasim.backbones`.
        output: folder to write.
        key: the network to take where the file has several.
        patch_size: of a ViT.
        image_size: side in pixels that the SavedModel resizes images to.
        trained_size: side in pixels that a ViT's position embeddings are for; `image_size` if 0.
        overwrite: whether to replace what stands at `output`.
    """
    if not pathlib.Path(checkpoint).is_file():
        raise FileNotFoundError(f"Expected --checkpoint to be a file. Received: {checkpoint}")
    vit = backbone.startswith("vit")
    sizes = {"image_size": trained_size or image_size, "patch_size": patch_size} if vit else {}
    model = getattr(backbones, backbone)(**sizes)
    backbones.load_torch_weights(model, checkpoint, key=key)
    export_backbone(model, output, image_size, overwrite=overwrite)
    print(f"{backbone} with {model.count_params():,} parameters: {output}")


if __name__ == "__main__":
    define_flags()
    command.run(main)
