"""Runs that are made to collapse, and healthy ones: which of them does the alarm tell?

    python benchmarks/collapse.py --data_dir=cifar10/train

Every run is `keras_adasim.pretrain` on 256 images of CIFAR-10 with the small network, without an
export. The table goes to benchmarks/collapse.md; a run that stands there isn't run again.

Hardware: any. Time: about a minute a run on two cores.
Expected: each run that is made to collapse is told, by a symptom of its own, and no other.
"""

import pathlib
import tempfile

import tensorflow as tf
from absl import app, flags

import keras_adasim as ka
from keras_adasim.files import write_file
from keras_adasim.objectives.two_views import per_view, two_view_features

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of images.", required=True)
OUTPUT = flags.DEFINE_string("output", "benchmarks/collapse.md", "The table.")
ONLY = flags.DEFINE_string("only", "", "Only runs whose names have this.")

SETTINGS = {"limit": 256, "image_size": 16, "batch_size": 32, "epochs": 12}
SETTINGS |= {"knn_k": 10, "knn_every": 2, "num_local": 0, "warmup_epochs": 1, "pairing": "self"}
SETTINGS |= {"xla": "no", "exclude": ("blur", "solarize"), "learning_rate": 2e-3}
SETTINGS |= {"out_dim": 256, "hidden_dim": 256}
# A quick teacher, so that it happens within these few steps.
QUICK = {"momentum": 0.9}
HEAD = """\
# Runs that collapse, and runs that don't

`python benchmarks/collapse.py --data_dir=cifar10/train`

256 images of CIFAR-10, 16 pixels, a Vision Transformer of two blocks, 12 epochs of 8 steps, the
first of them a warm-up; k-NN and rank every second epoch. A collapse must show in three
measurements in a row; the epochs are those in which it first showed, from 1.

| run | settings | told, since epoch |
|---|---|---|
"""


class WithoutPredictor(ka.objectives.BYOL):
    """BYOL whose projections meet the teacher's directly."""

    def student_embeddings(self, views):
        """The projections in the predictions' place."""
        return {"predictions": per_view(self.projector, two_view_features(views))}


def runs():
    """Yields name and settings of every run."""
    for objective in ("dino", "esvit"):
        yield (
            f"{objective} without centering",
            {
                "objective": objective,
                "center_momentum": 1.0,
                **QUICK,
            },
        )
        yield (
            f"{objective} without sharpening",
            {
                "objective": objective,
                "teacher_temperature": 10.0,
                **QUICK,
            },
        )
    yield "byol without predictor", {"objective": WithoutPredictor(256, 256), "momentum": 0.5}
    for objective in ("dino", "esvit", "byol", "simsiam", "moco_v3", "simclr", "nnclr"):
        yield f"healthy {objective}", {"objective": objective}
    yield "healthy dino, adasim", {"objective": "dino", "pairing": "adasim", "window": 3}
    yield "healthy dino, 4096 prototypes", {"objective": "dino", "out_dim": 4096}
    yield "healthy simclr, ResNet-18", {"objective": "simclr", "backbone": "resnet18_cifar"}


def row(name, settings):
    """Pretrains; returns the table's row."""
    settings = {**SETTINGS, **settings}
    if not isinstance(settings["objective"], str):
        del settings["out_dim"], settings["hidden_dim"]
    settings.setdefault("backbone", ka.backbones.VisionTransformer(16, 4, 96, 2, 3))
    with tempfile.TemporaryDirectory() as folder:
        result = ka.pretrain(DATA_DIR.value, f"{folder}/run", **settings)
    changed = {key: value for key, value in settings.items() if SETTINGS.get(key) != value}
    changed = ", ".join(
        f"{key}={value}" for key, value in changed.items() if isinstance(value, str | int | float)
    )
    told = ", ".join(f"{kind} ({epoch})" for kind, epoch in result["collapse"].items())
    return f"| {name} | {changed} | {told or '-'} |\n"


def main(argv):
    """Adds the rows that the table lacks."""
    # What an export and fast graphs cost has nothing to do with it.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    ka.export.export_backbone = lambda model, path, size, overwrite: path.mkdir(exist_ok=overwrite)
    path = pathlib.Path(OUTPUT.value)
    table = path.read_text() if path.exists() else HEAD
    for name, settings in runs():
        if ONLY.value in name and f"| {name} |" not in table:
            table += row(name, settings)
            write_file(path, table)
    print(table)


if __name__ == "__main__":
    app.run(main)
