"""`keras-adasim export`: what a run has learned, for other programs."""

from absl import flags

from keras_adasim import backbones, export
from keras_adasim.backbones.stored_backbone import METADATA_NAME
from keras_adasim.checkpoints import told
from keras_adasim.commands.running import run
from keras_adasim.export.folder import check_file, check_path
from keras_adasim.export.metadata import Metadata
from keras_adasim.files import expand
from keras_adasim.pretraining.reopening import reopen, run_and_checkpoint
from keras_adasim.pretraining.results import ranged
from keras_adasim.validation import check_integer, renamed

DESCRIPTION = """
Exports what was learned, in one of five forms:

    keras-adasim export --backbone=runs/photos --out=photos.keras --format=keras

--backbone is a run (its teacher, as the newest checkpoint has it; it need not be finished), one
checkpoint of it (runs/photos/checkpoints/epoch-90), or an earlier SavedModel of ours. What was
written is read again and looks at a few images; its largest deviation from the network is shown,
as a share of the largest value. Above 1e-4 (of ONNX 1e-3) nothing is written.
"""
FORMATS = {
    "savedmodel": "a SavedModel for TensorFlow and `keras_adasim.export.load_backbone`",
    "keras": "a .keras file for `keras.saving.load_model`, after `import keras_adasim`",
    "onnx": "an .onnx file, of uint8 images of any size; needs `keras-adasim[onnx]`",
    "preset": "a KerasHub preset, of a run with --backbone=hub:PRESET",
    "torch": "a .safetensors file with PyTorch's names",
}
# Those that hold the preprocessing.
WRITERS = {
    "savedmodel": export.export_backbone,
    "keras": export.export_keras,
    "onnx": export.export_onnx,
}


def main(argv=None, program="export"):
    """Reads the flags and exports."""
    run(program, DESCRIPTION, define, start, argv, required=("backbone", "out"))


def define(values):
    """Defines the flags."""
    kinds = "; ".join(f"{name}: {text}" for name, text in FORMATS.items())
    text = "Folder of a run, of one of its checkpoints, or of a SavedModel of ours."
    flags.DEFINE_string("backbone", None, text, flag_values=values)
    flags.DEFINE_string("out", None, "What to write.", flag_values=values)
    flags.DEFINE_enum("format", "savedmodel", list(FORMATS), f"{kinds}.", flag_values=values)
    flags.DEFINE_integer(
        "image_size", None, "Side in pixels that images get; the run's own.", flag_values=values
    )
    flags.DEFINE_bool("overwrite", False, "Replace what stands there.", flag_values=values)


def start(values):
    """Exports with parsed flags."""
    export_run(values.backbone, values.out, values.format, values.image_size, values.overwrite)


def export_run(path, out, form="savedmodel", image_size=None, overwrite=False):
    """Exports the teacher of a run, or what an export holds.

    Args:
        path: Folder of the run, of a checkpoint, or of an export.
        out: Folder or file to write.
        form: One of `FORMATS`.
        image_size: Side in pixels that the images are resized to; the run's by default.
        overwrite: Whether to replace what stands at `out`.

    Returns:
        The largest deviation from the network, a float.

    Raises:
        FileExistsError: If `out` is taken and is not to be replaced.
        ImportError: If the form needs a package that isn't there.
        ValueError: If there is no such run, or its backbone has no such form.
        DeviationError: If what was written isn't what the network gives; it is removed then.
    """
    if image_size is not None:
        check_integer("image_size", image_size)
        if form not in WRITERS:
            raise ValueError(
                f"Expected no `image_size` with `format={form}`, which holds no preprocessing. "
                f"Received: image_size={image_size}"
            )
    if form == "onnx":
        export.require_onnx()
    path, out = expand(path, "backbone"), expand(out, "out")
    check_out(out, form, overwrite)
    with renamed(path="backbone", folder="backbone"):
        model, size, value_range, words = open_network(path)
    with renamed(path="out"):
        if form in WRITERS:
            size = image_size or size
            deviation = WRITERS[form](model, out, size, overwrite=overwrite, **value_range)
        elif form == "preset":
            deviation = export.export_preset(model, out, overwrite=overwrite)
        else:
            deviation = export.export_torch(model, out, overwrite=overwrite)
    print(f"{words}: {out}")
    print(f"largest deviation from the network: {deviation:.1e} of the largest value")
    return deviation


def check_out(out, form, overwrite):
    """Raises an error for a name that can't be written, before a model is built."""
    marks = {
        "savedmodel": ("saved_model.pb", METADATA_NAME),
        "preset": ("config.json", "metadata.json"),
    }
    with renamed(path="out"):
        if form in marks:
            check_path(out, overwrite, marks[form])
        else:
            check_file(out, overwrite, {"torch": ".safetensors"}.get(form, f".{form}"))


def open_network(path):
    """Opens what `--backbone` names.

    Args:
        path: Folder of a run, of a checkpoint, or of an export.

    Returns:
        Tuple of a model, the side of its images, a dict with the range of deep images, if it has
        seen any, and what it is, in words.

    Raises:
        ValueError: If it is none of these.
    """
    if (path / "saved_model.pb").is_file():
        facts = Metadata.read(path)
        backbone = backbones.get(path)
        value_range = {"value_range": facts.value_range} if facts.value_range else {}
        return backbone, facts.image_size, value_range, f"{backbone.name} of {path}"
    folder, checkpoint = run_and_checkpoint(path, "backbone")
    model = reopen(folder, checkpoint)
    value_range = ranged(folder.recall()["settings"].get("value_range", (0, 0)))
    place = told(*checkpoint.place) if checkpoint else folder.told
    return (
        model,
        model.augment.crops.global_size,
        value_range,
        f"{model.teacher.name} after {place}",
    )
