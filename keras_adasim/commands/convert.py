"""`keras-adasim convert`: an official AdaSim, DINO or EsViT checkpoint as a SavedModel."""

import inspect

from absl import flags

from keras_adasim import backbones
from keras_adasim.commands.running import run
from keras_adasim.export import export_backbone
from keras_adasim.files import expand
from keras_adasim.validation import check_integer, renamed

DESCRIPTION = """
Turns a PyTorch checkpoint into a SavedModel:

    keras-adasim convert --checkpoint=dino.pth --key=teacher --backbone=vit_small \\
        --patch_size=16 --image_size=224 --output=dino_vit_small

`tf.saved_model.load(output).serve(images)` gives features of uint8 or float images of any size, and
`keras_adasim.export.load_backbone(output)` is a trainable Keras layer.
"""


def main(argv=None, program="convert"):
    """Reads the flags and converts."""
    run(program, DESCRIPTION, define, start, argv, required=("checkpoint", "backbone", "output"))


def define(values):
    """Defines the flags."""

    def string(name, text):
        flags.DEFINE_string(name, None, text, flag_values=values)

    string("checkpoint", "A .pth, .safetensors or .npz file.")
    string("key", "The network to take, such as teacher, if there are several.")
    string("output", "Folder to write.")
    names = list(backbones.PRESETS)
    text = "The checkpoint's backbone."
    flags.DEFINE_enum("backbone", None, names, text, flag_values=values)
    for name, default, text in (
        ("patch_size", 16, "Side of a ViT's patches in pixels."),
        ("image_size", 224, "Side in pixels that images get."),
        ("trained_size", 0, "That of a ViT's training, if it is another one."),
    ):
        flags.DEFINE_integer(name, default, text, flag_values=values)
    flags.DEFINE_bool("overwrite", False, "Replace an export there.", flag_values=values)


def start(values):
    """Converts with parsed flags."""
    convert(**{name: values[name].value for name in inspect.signature(convert).parameters})


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
        backbone: Name of a preset in `keras_adasim.backbones`.
        output: Folder to write.
        key: The network to take where the file has several.
        patch_size: Side of a ViT's patches in pixels.
        image_size: Side in pixels that the SavedModel resizes images to.
        trained_size: Side in pixels that a ViT's position embeddings are for; `image_size` if 0.
        overwrite: Whether to replace what stands at `output`.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If its names or shapes aren't the backbone's.
    """
    checkpoint, output = expand(checkpoint, "checkpoint"), expand(output, "output")
    check_integer("image_size", image_size)
    check_integer("trained_size", trained_size, minimum=0)
    if not checkpoint.is_file():
        raise FileNotFoundError(
            f"Expected `checkpoint` to be a file. Received: checkpoint={checkpoint}"
        )
    sizes = {"patch_size": patch_size} if backbone.startswith("vit") else {}
    model = backbones.get(backbone, image_size=trained_size or image_size, **sizes)
    with renamed(path="checkpoint"):
        backbones.load_torch_weights(model, checkpoint, key=key)
    with renamed(path="output"):
        export_backbone(model, output, image_size, overwrite=overwrite)
    print(f"{backbone} with {model.count_params():,} parameters: {output}")
