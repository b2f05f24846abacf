"""`keras-adasim embed`: the features of a folder of images, in a file or in several."""

import numpy as np
import tensorflow as tf
from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import HELP, load_embedder
from keras_adasim.commands.counting import Counting
from keras_adasim.commands.protocol import check_same_channels, wanting
from keras_adasim.commands.running import run
from keras_adasim.commands.sound_images import LOOK_HELP, LOOKS, sound_images
from keras_adasim.evaluation import embed
from keras_adasim.evaluation.feature_cache import images_fingerprint
from keras_adasim.evaluation.shards import FORMATS, check_form, write_arrays, write_shards
from keras_adasim.files import expand
from keras_adasim.validation import check_integer, renamed

DESCRIPTION = """
Writes the features of all images of a folder to an .npz or a .parquet file:

    keras-adasim embed --backbone=runs/photos --data_dir=photos --out=features.npz

with the arrays `features` (N, D), `paths` (N,), and, if the folder has one sub-folder per class,
`labels` (N,) and `class_names`; with --tokens also the patch tokens, `tokens` (N, P, D). Images are
resized to the backbone's size, as a whole; files that can't be read are left out and named. Without
an ending, --out is a folder of several files of --shard_size images each; the same command goes on
where it was stopped.
"""
# Images of a file, without and with patch tokens.
SHARD_SIZES = (10_000, 500)


def main(argv=None, program="embed"):
    """Reads the flags and embeds."""
    run(program, DESCRIPTION, define, start, argv, required=("backbone", "data_dir", "out"))


def define(values):
    """Defines the flags."""
    flags.DEFINE_string("backbone", None, HELP, flag_values=values)
    flags.DEFINE_string("data_dir", None, "Folder of images or archives.", flag_values=values)
    text = "File to write, .npz or .parquet, or a folder for several."
    flags.DEFINE_string("out", None, text, flag_values=values)
    flags.DEFINE_integer("batch_size", 256, "Images embedded at a time.", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "Replace what stands there.", flag_values=values)
    flags.DEFINE_bool("tokens", False, "Write the patch tokens too.", flag_values=values)
    text = "Format of the files in a folder."
    flags.DEFINE_enum("format", "npz", list(FORMATS), text, flag_values=values)
    text = f"Images of a file in a folder; 0 for {SHARD_SIZES[0]}, with tokens {SHARD_SIZES[1]}."
    flags.DEFINE_integer("shard_size", 0, text, flag_values=values)
    flags.DEFINE_enum("look", "auto", LOOKS, LOOK_HELP, flag_values=values)


def start(values):
    """Embeds with parsed flags."""
    check_integer("batch_size", values.batch_size)
    check_integer("shard_size", values.shard_size, minimum=0)
    out = expand(values.out, "out")
    check_out(out, values.format, values.overwrite)
    backbone = load_embedder(values.backbone)
    with wanting(backbone.channels), renamed(path="data_dir"):
        source = data.open_folder(values.data_dir, backbone.channels)
    check_same_channels(source, backbone.channels)
    source, _ = sound_images(source, "images", values.look)
    backbone.prepare(source)
    with Counting("features", len(source)) as counting:
        form = out.suffix[1:] or values.format
        looks = values.tokens, values.batch_size, counting, form == "parquet"
        arrays_of = ArraysOf(source, backbone, *looks)
        if out.suffix:
            arrays = arrays_of(np.arange(len(source)))
            write_arrays(out, arrays)
            shape = arrays["features"].shape
            told = [f"{shape[0]} images, {shape[1]} features each: {out}"]
        else:
            size = values.shard_size or SHARD_SIZES[values.tokens]
            told = in_folder(out, arrays_of, size, form, values.overwrite)
    print(*told, sep="\n")


def check_out(out, form, overwrite):
    """Raises an error, before anything is computed, for a file that can't be written."""
    if out.suffix not in ("", ".npz", ".parquet"):
        raise ValueError(
            "Expected `out` to end in .npz or .parquet, or to be a folder without an ending. "
            f"Received: out={out}"
        )
    check_form(out.suffix[1:] or form)
    if out.suffix and out.exists() and not overwrite:
        raise FileExistsError(
            f"Expected `out` to be a new file. Received: out={out}, which is there. Pass "
            "`overwrite`, or choose another name."
        )
    if not out.suffix and out.exists() and not out.is_dir():
        raise FileExistsError(f"Expected `out` to be a folder. Received: out={out}, a file")


def in_folder(out, arrays_of, shard_size, form, overwrite):
    """Writes several files, but for those that are there; returns what there is to say."""
    source, backbone = arrays_of.source, arrays_of.backbone
    about = {
        "backbone": backbone.fingerprint,
        "images": images_fingerprint(source),
        "image_size": backbone.image_size,
        "tokens": arrays_of.tokens,
    }
    files = write_shards(len(source), arrays_of, out, about, shard_size, form, overwrite)
    written = [is_new for _, is_new in files]
    there = len(written) - sum(written)
    lines = [f"{there} of {len(written)} files were there already"] if there else []
    return [*lines, f"{len(source)} images in {len(written)} files: {out}"]


class ArraysOf:
    """What is written of some images.

    Args:
        source: `Source` of all images.
        backbone: `Embedder`.
        tokens: Whether to take the patch tokens too.
        batch_size: Images embedded at a time.
        counting: `Counting`, told of every batch.
        rows: Whether all arrays have one row for each image, `class_names` too.
    """

    def __init__(self, source, backbone, tokens, batch_size, counting, rows=False):
        self.source, self.backbone, self.tokens = source, backbone, tokens
        self.batch_size, self.counting, self.rows = batch_size, counting, rows
        self._sizes = None

    def __call__(self, indices):
        """Dict of arrays of the images at (n,) indices."""
        size = self.backbone.image_size
        flat = embed(self.source, self._look, self.batch_size, size, indices=indices)
        feature_dim, token_dim = self._sizes
        arrays = {
            "features": flat[:, :feature_dim],
            "paths": np.array([self.source.describe(i) for i in indices]),
        }
        if self.tokens:
            arrays["tokens"] = flat[:, feature_dim:].reshape(len(flat), -1, token_dim)
        if self.source.labels is not None:
            arrays["labels"] = labels = self.source.labels[indices]
            if self.source.class_names is not None:
                names = np.array(self.source.class_names)
                # A table has as many names as rows.
                arrays["class_names"] = names[labels] if self.rows else names
        return arrays

    def _look(self, images):
        """Features, and behind them the patch tokens, as one vector for each image."""
        outputs = self.backbone.look(images)
        parts = [outputs["features"]]
        if self.tokens:
            if "tokens" not in outputs:
                raise ValueError(
                    "Expected a backbone with patch tokens. Received: `tokens` of one without"
                )
            parts.append(outputs["tokens"])
        self._sizes = parts[0].shape[-1], parts[-1].shape[-1]
        self.counting.add(len(images))
        return tf.concat([tf.reshape(part, (len(images), -1)) for part in parts], axis=1)
