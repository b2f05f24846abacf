"""`keras-adasim embed`: the features of a folder of images, in a file."""

import io

import numpy as np
from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import HELP, load_embedder
from keras_adasim.commands.running import run
from keras_adasim.evaluation import embed
from keras_adasim.files import expand, write_file
from keras_adasim.validation import check_integer, renamed

DESCRIPTION = """
Writes the features of all images of a folder to an .npz file:

    keras-adasim embed --backbone=runs/photos --data_dir=photos --out=features.npz

with the arrays `features` (N, D), `paths` (N,), and, if the folder has one sub-folder per class,
`labels` (N,) and `class_names`. Images are resized to the backbone's size, as a whole.
"""


def main(argv=None, program="embed"):
    """Reads the flags and embeds."""
    run(program, DESCRIPTION, define, start, argv, required=("backbone", "data_dir", "out"))


def define(values):
    """Defines the flags."""
    flags.DEFINE_string("backbone", None, HELP, flag_values=values)
    flags.DEFINE_string("data_dir", None, "Folder of images.", flag_values=values)
    flags.DEFINE_string("out", None, "File to write, .npz.", flag_values=values)
    flags.DEFINE_integer("batch_size", 256, "Images embedded at a time.", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "Replace a file there.", flag_values=values)


def start(values):
    """Embeds with parsed flags.

    Raises:
        FileExistsError: If the file is there and is not to be replaced.
    """
    check_integer("batch_size", values.batch_size)
    out = expand(values.out, "out")
    if out.suffix != ".npz":
        raise ValueError(f"Expected `out` to end in .npz. Received: out={values.out}")
    if out.exists() and not values.overwrite:
        raise FileExistsError(
            f"Expected `out` to be a new file. Received: out={out}, which is there. Pass "
            "`overwrite`, or choose another name."
        )
    backbone = load_embedder(values.backbone)
    with renamed(path="data_dir"):
        source = data.open_folder(values.data_dir, backbone.channels)
    backbone.prepare(source)
    features = embed(source, backbone.embed, values.batch_size, backbone.image_size)
    arrays = {
        "features": features,
        "paths": np.array([source.describe(i) for i in range(len(source))]),
    }
    if source.labels is not None:
        arrays |= {"labels": source.labels, "class_names": np.array(source.class_names)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_file(out, buffer.getvalue())
    print(f"{len(features)} images, {features.shape[1]} features each: {out}")
