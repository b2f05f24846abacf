"""`keras-adasim gallery`: images with their ranked neighbors, the paper's first figure."""

import json

import numpy as np
from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import HELP, load_embedder
from keras_adasim.commands.running import run
from keras_adasim.data.keys import checked_keys
from keras_adasim.evaluation import embed, gallery
from keras_adasim.files import expand, write_file
from keras_adasim.pretraining.evidence import Evidence, Pictures, make_gallery, open_images
from keras_adasim.pretraining.page import checked_folder
from keras_adasim.pretraining.reopening import run_and_checkpoint
from keras_adasim.reporting import gallery_page
from keras_adasim.validation import check_integer, renamed

DESCRIPTION = """
Writes a page with images and their ranked neighbors, each with its p_win as a bar, the state of the
image's gate, and in which epochs of the window each neighbor was there:

    keras-adasim gallery --run=runs/photos --out=gallery --choose=surest

Of a SavedModel, which has no window, it shows cosines:

    keras-adasim gallery --backbone=runs/photos/saved_model --data_dir=photos --out=gallery

The same numbers are in gallery.json beside the page.
"""
WHY = {
    "seed": "Drawn at random.",
    "just_opened": "Its gate has just opened.",
    "churns": "Its neighbors change most.",
    "surest": "Among the surest.",
}


def main(argv=None, program="gallery"):
    """Reads the flags and writes the gallery."""
    run(program, DESCRIPTION, define, start, argv, required=("out",))


def define(values):
    """Defines the flags."""
    for name, text in (
        ("run", "Folder of a run, whose newest checkpoint is taken, or of a checkpoint."),
        ("backbone", f"Instead of a run: {HELP}"),
        ("out", "Folder to write gallery.html and gallery.json into."),
    ):
        flags.DEFINE_string(name, None, text, flag_values=values)
    text = "Folder of the images; of a run the one that it has learned from."
    flags.DEFINE_multi_string("data_dir", None, text, flag_values=values)
    text = "seed: any image; the others need a window. See `evaluation.gallery.choose`."
    flags.DEFINE_enum("choose", "seed", list(gallery.CHOICES), text, flag_values=values)
    text = "Path of an image to show, instead of a choice. Several times for several."
    flags.DEFINE_multi_string("path", None, text, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of the choice.", flag_values=values)
    flags.DEFINE_integer("count", 12, "Images to show.", flag_values=values)
    flags.DEFINE_integer("k", 10, "Neighbors, where there is no window.", flag_values=values)
    flags.DEFINE_integer("batch_size", 256, "Images embedded at a time.", flag_values=values)
    flags.DEFINE_bool("overwrite", False, "Replace a gallery there.", flag_values=values)


def start(values):
    """Writes the gallery with parsed flags.

    Raises:
        FileExistsError: If there is one and it is not to be replaced.
        ValueError: If flags contradict each other, or nothing is there to show.
    """
    for name in ("count", "k", "batch_size"):
        check_integer(name, values[name].value)
    check_integer("seed", values.seed, minimum=0)
    if (values.run is None) == (values.backbone is None):
        raise ValueError(
            "Expected either `run` or `backbone`. Received: "
            f"run={values.run}, backbone={values.backbone}"
        )
    out = expand(values.out, "out")
    if (out / "gallery.html").exists() and not values.overwrite:
        raise FileExistsError(
            f"Expected `out` without a gallery. Received: out={out}, which has one. Pass "
            "`overwrite`, or choose another name."
        )
    shown = of_run(values) if values.run is not None else of_backbone(values)
    title = f"Neighbors: {values.run or values.backbone}"
    write_file(out / "gallery.html", gallery_page(shown, title))
    write_file(out / "gallery.json", json.dumps(as_numbers(shown), indent=1) + "\n")
    print(f"{len(shown.neighbors.queries)} images with their neighbors: {out / 'gallery.html'}")


def of_run(values):
    """The `Gallery` of a run's newest checkpoint, or of another one."""
    folder, checkpoint = run_and_checkpoint(expand(values.run, "run"), "run")
    folder = checked_folder(folder.path)
    settings, plan = folder.written("settings")["settings"], folder.written("plan")
    evidence = Evidence(folder, settings, checkpoint=checkpoint)
    if evidence.features is None:
        raise ValueError(
            "Expected `run` with a bank in its checkpoint. Received: "
            f"run={values.run}, which has none yet. Its export may do: `backbone`."
        )
    places = values.data_dir or plan.get("data")
    if not places:
        raise ValueError(
            "Expected `data_dir`, as the run's images were no folder. Received: data_dir=None"
        )
    with renamed(path="data_dir"):
        pictures = Pictures(open_images(places, settings), evidence.keys)
    if not evidence.has_window and values.choose != "seed":
        raise ValueError(no_window(values))
    if values.choose == "just_opened" and evidence.earlier is None:
        raise ValueError(
            "Expected the checkpoint of the epoch before, for `choose`=just_opened. Received: "
            f"none in {folder.checkpoints}"
        )
    queries = chosen(values, evidence.keys, evidence)
    why = ["Named." if values.path else WHY[values.choose]] * len(queries)
    neighbors = evidence.neighbors(queries)
    return make_gallery(neighbors, why, pictures, evidence.checkpoint.place[0])


def of_backbone(values):
    """The `Gallery` of the features of a backbone."""
    if values.choose != "seed":
        raise ValueError(no_window(values))
    if not values.data_dir:
        raise ValueError("Expected `data_dir` together with `backbone`. Received: data_dir=None")
    backbone = load_embedder(values.backbone)
    with renamed(path="data_dir"):
        source = data.open_splits(values.data_dir, backbone.channels)[0]
    if values.k > len(source):
        raise ValueError(
            f"Expected `k` from 1 to {len(source)}, the number of images. Received: k={values.k}"
        )
    backbone.prepare(source)
    pictures = Pictures(source, checked_keys(source))
    queries = chosen(values, pictures.keys)
    features = embed(source, backbone.embed, values.batch_size, backbone.image_size)
    why = ["Named." if values.path else WHY["seed"]] * len(queries)
    return make_gallery(gallery.by_cosine(features, queries, values.k), why, pictures)


def no_window(values):
    """What is said where a choice needs a window."""
    return (
        "Expected `choose`=seed where there is no window, which runs with pairing=adasim have. "
        f"Received: choose={values.choose}"
    )


def chosen(values, keys, evidence=None):
    """(n,) images to show: those named, or those chosen."""
    if values.path:
        return np.array([named(path, keys) for path in values.path])
    pairing = evidence.pairing if evidence is not None and evidence.has_window else None
    earlier = evidence.earlier if values.choose == "just_opened" else None
    found = gallery.choose(len(keys), values.count, values.choose, pairing, earlier, values.seed)
    if not len(found):
        raise ValueError(
            f"Expected images that fit `choose`={values.choose}. Received: a window in which none "
            "does, as no gate is open, or none has just opened. `choose`=seed shows any."
        )
    return found


def named(path, keys):
    """The image of a path, which may be a whole one, or begin below the images' folder."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    found = keys.find(["/".join(parts[start:]) for start in range(len(parts))])
    if not (found >= 0).any():
        raise ValueError(
            f"Expected `path` to be one of the images, such as {keys[0]!r}. Received: path={path!r}"
        )
    return int(found[found >= 0][0])


def as_numbers(shown):
    """What the page shows, for JSON."""
    neighbors = shown.neighbors
    rows = []
    for place, query in enumerate(neighbors.queries.tolist()):
        row = {"image": shown.names[query], "why": shown.why[place]}
        if neighbors.is_open is not None:
            row["gate_open"] = bool(neighbors.is_open[place])
        row["neighbors"] = [
            as_entry(shown, place, rank)
            for rank, index in enumerate(neighbors.ids[place])
            if index >= 0
        ]
        rows.append(row)
    return {"epoch": shown.epochs or None, "images": rows}


def as_entry(shown, place, rank):
    """A neighbor, for JSON; epochs count from 1."""
    neighbors = shown.neighbors
    entry = {
        "image": shown.names[int(neighbors.ids[place, rank])],
        "similarity": round(float(neighbors.similarities[place, rank]), 6),
    }
    if neighbors.probabilities is not None:
        entry["p_win"] = round(float(neighbors.probabilities[place, rank]), 6)
    if neighbors.history is not None:
        first = shown.epochs - neighbors.history.shape[2] + 1
        entry["epochs"] = (first + np.flatnonzero(neighbors.history[place, rank])).tolist()
    return entry
