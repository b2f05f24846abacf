"""`keras-adasim export`: what a run has learned, for other programs."""

from absl import flags

from keras_adasim import backbones, export
from keras_adasim.commands.running import run
from keras_adasim.files import expand
from keras_adasim.pretraining.reopening import reopen
from keras_adasim.pretraining.results import ranged
from keras_adasim.pretraining.run_folder import RunFolder
from keras_adasim.validation import check_integer, renamed

DESCRIPTION = """
Exports the teacher of a run, as its newest checkpoint has it; the run need not be finished.
"""
FORMATS = {
    "savedmodel": "a SavedModel for TensorFlow and `keras_adasim.export.load_backbone`",
    "preset": "a KerasHub preset, of a run with --backbone=hub:PRESET",
    "torch": "a .safetensors file with PyTorch's names",
}


def main(argv=None, program="export"):
    """Reads the flags and exports."""
    run(program, DESCRIPTION, define, start, argv, required=("backbone", "out"))


def define(values):
    """Defines the flags."""
    kinds = "; ".join(f"{name}: {text}" for name, text in FORMATS.items())
    flags.DEFINE_string("backbone", None, "Folder of the run.", flag_values=values)
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
    """Exports the teacher of a run.

    Args:
        path: The run's folder.
        out: Folder to write, or file for "torch".
        form: One of `FORMATS`.
        image_size: Side in pixels that the SavedModel resizes images to; the run's by default.
        overwrite: Whether to replace what stands at `out`.

    Raises:
        FileExistsError: If `out` is taken and is not to be replaced.
        ValueError: If there is no run, or its backbone has no such form.
    """
    if image_size is not None:
        check_integer("image_size", image_size)
    folder, out = RunFolder(expand(path, "backbone")), expand(out, "out")
    with renamed(path="backbone"):
        model = reopen(folder)
    if form == "savedmodel":
        settings = folder.recall()["settings"]
        value_range = ranged(settings.get("value_range", (0, 0)))
        size = image_size or model.augment.crops.global_size
        with renamed(path="out"):
            export.export_backbone(model, out, size, overwrite=overwrite, **value_range)
    elif out.exists() and not overwrite:
        raise FileExistsError(
            f"Expected `out` to be a new name. Received: out={out}, which is taken. Pass "
            "`overwrite`, or choose another."
        )
    elif form == "preset":
        export.export_preset(model, out)
    else:
        backbones.save_torch_weights(model.teacher, out)
    print(f"{model.teacher.name} after epoch {folder.finished_epochs}: {out}")
