"""The page of a run: read from its folder, and written there."""

import contextlib
import csv
import functools
import importlib.util
import math
import warnings

import numpy as np
import tensorflow as tf

from keras_adasim.callbacks.chief import writes_files
from keras_adasim.data import Looks
from keras_adasim.evaluation import bootstrapping, gallery
from keras_adasim.files import DAMAGED, expand, write_file
from keras_adasim.pretraining.attention import check_may_tell, make_attention
from keras_adasim.pretraining.doctor_findings import read_findings
from keras_adasim.pretraining.evidence import SIDE, Evidence, Pictures, make_gallery, open_images
from keras_adasim.pretraining.reopening import reopen
from keras_adasim.pretraining.run_folder import RunFolder
from keras_adasim.reporting import (
    NAMES,
    FeatureMap,
    Run,
    comparison_page,
    run_page,
    run_sections,
    sections_to_keep,
)
from keras_adasim.reporting.feature_map import principal_plane
from keras_adasim.reporting.thumbnails import sheet

# Of the samples that the page shows, so that it stays small.
MOST_POINTS, MOST_QUERIES, MOST_ATTENDED, MOST_CLASSES = 600, 12, 6, 2000
COLUMNS, THUMB = 30, 28
MOST_BYTES = 2**30  # Of a second window.
QUERIES = (
    ("surest", 4, "Among the surest."),
    ("just_opened", 3, "Its gate has just opened."),
    ("churns", 3, "Its neighbors change most."),
    ("seed", MOST_QUERIES, "Drawn at random."),
)


def write_page(paths, out=None, data_dir=None, doctor=None, keep=True, say=None):
    """Writes the page of a run, finished or not; or of several, side by side.

    Where the images can't be read, the sections with pictures stay as an earlier page there has
    them, and say so.

    Args:
        paths: Folder of a run, or a list of them.
        out: The file; `report.html` in the run's folder by default, and for several
            `comparison.html` in the working folder.
        data_dir: Folder of the training images, or a list of folders, if they have moved.
        doctor: Folder that the doctor wrote; `doctor` in the run's folder by default.
        keep: Whether the pictures of an earlier page are kept.
        say: Function of a line of text, called if they are.

    Returns:
        Path of the file.

    Raises:
        ValueError: If a folder is none of a run, or none of the doctor's.
    """
    paths = paths if isinstance(paths, list | tuple) else [paths]
    folders = [checked_folder(path) for path in paths]
    if len(folders) > 1:
        if doctor is not None:
            raise ValueError(
                "Expected no `doctor` with several runs, whose page has no room for it. "
                f"Received: doctor={doctor}"
            )
        out = expand(out or "comparison.html", "out")
        write_file(
            out, comparison_page([read_run(folder, has_pictures=False) for folder in folders])
        )
        return out
    (folder,) = folders
    out = folder.report if out is None else expand(out, "out")
    run = read_run(folder, data_dir, doctor=doctor)
    kept = {}
    if keep and "pictures" in run.missing and out.is_file():
        kept = sections_to_keep(out.read_text(errors="replace"), run_sections(run))
    write_file(out, run_page(run, kept))
    if kept and say is not None:
        names = ", ".join(NAMES[name].lower() for name in kept)
        say(f"kept from the page before, as the images can't be read: {names}")
    return out


def write_at_end(folder, model, source):
    """Writes the page of a run that ends now, and says where; a failure is one line, and no more.

    Args:
        folder: The `RunFolder`.
        model: The trained `SelfDistillation`.
        source: The training images.
    """
    if not writes_files(model):
        return
    try:
        run = read_run(folder, source=source, model=model)
        write_file(folder.report, run_page(run))
        print(f"page          {folder.report}", flush=True)
    except Exception as error:  # Whatever it is, the run is done.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"warning       no page was written: {reason}", flush=True)


def checked_folder(path):
    """The `RunFolder` of a path.

    Raises:
        ValueError: If it isn't a run's.
    """
    path = expand(path, "run")
    if not path.is_dir() or "settings" not in RunFolder(path).written("settings"):
        kind = "a folder without a settings.json" if path.is_dir() else "no folder"
        raise ValueError(f"Expected `run` to be the folder of a run. Received: run={path}, {kind}")
    return RunFolder(path)


def read_run(folder, data_dir=None, source=None, model=None, has_pictures=True, doctor=None):
    """Reads what the page needs.

    Args:
        folder: `RunFolder`.
        data_dir: Folders of the training images, if they have moved.
        source: The training images, if they are open already.
        model: The `SelfDistillation`, if it is in memory.
        has_pictures: Whether gallery, map, attention and classes are wanted.
        doctor: Folder that the doctor wrote; `doctor` in the run's folder, if it is there.

    Returns:
        `Run`.
    """
    content, plan = folder.written("settings"), folder.written("plan")
    result = folder.written("result") or None
    bad = folder.written("bad_images")
    run = Run(
        name=folder.path.resolve().name,
        path=str(folder.path.resolve()),
        settings=content["settings"],
        given=plan.get("given", []),
        reasons=plan.get("reasons", {}),
        finished_epochs=folder.finished_epochs,
        log=read_log(folder.log),
        start=folder.written("start"),
        result=result,
        plan=plan,
        images=content["images"],
        files=seen_files(folder),
        bad={**bad.get("left_out", {}), **bad.get("gone_bad", {})},
    )
    with _or_the_reason(run, "doctor") if doctor is None else contextlib.nullcontext():
        run.findings = read_findings(doctor_folder(folder, doctor))
    if has_pictures:
        add_evidence(run, folder, data_dir or plan.get("data"), source, model)
    return run


def doctor_folder(folder, doctor=None):
    """Where the doctor's findings are.

    Raises:
        ValueError: If the folder that was given has none.
    """
    if doctor is None:
        return folder.path / "doctor"
    doctor = expand(doctor, "doctor")
    if not (doctor / "doctor.json").is_file():
        raise ValueError(
            "Expected `doctor` to be a folder that `keras-adasim doctor` wrote. Received: "
            f"doctor={doctor}, without a doctor.json"
        )
    return doctor


def read_log(path):
    """An epoch's dict of numbers each; cells that are none are left out."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = [{n: _number(cell) for n, cell in row.items()} for row in csv.DictReader(file)]
    return [{n: value for n, value in row.items() if math.isfinite(value)} for row in rows]


def seen_files(folder):
    """What the first look saw, as pairs of words."""
    looks = Looks.read(folder.path / "looks" / "train.npz")
    if looks is None or not len(looks):
        return []
    rows = [("looked at", f"{len(looks)}, of which {int(looks.full.sum())} were decoded")]
    for kind, indices in looks.by_kind():
        sides = f"{_spread(looks.width[indices])} x {_spread(looks.height[indices])} pixels"
        turned = "" if kind.orientation == 1 else ", turned by EXIF"
        rows.append((f"{kind.format}, {kind.mode}{turned}", f"{len(indices)} of {sides}"))
    return [*rows, ("bad", len(looks.bad))]


def add_evidence(run, folder, places, source, model):
    """Adds to a `Run` what its checkpoint and its images tell; what can't be had is said."""
    with _or_the_reason(run, "neighbors, map and attention"):
        evidence = Evidence(folder, run.settings, getattr(model, "pairing", None))
        if evidence.checkpoint is None:
            raise ValueError("There is no checkpoint yet.")
        pictures = _pictures(run, evidence, places, source)
        chosen = np.random.default_rng(run.settings.get("seed", 0)).permutation(len(evidence.keys))
        get_model = functools.cache(lambda: model or reopen(folder))
        with _or_the_reason(run, "map"):
            points = np.sort(chosen[:MOST_POINTS])
            run.feature_map = make_map(run.settings, evidence, pictures, points, get_model)
        with _or_the_reason(run, "neighbors"):
            run.gallery = make_page_gallery(evidence, pictures, run.settings.get("seed", 0))
        with _or_the_reason(run, "classes"):
            run.purity, run.class_names = class_purity(evidence, pictures)
        with _or_the_reason(run, "attention"):
            check_may_tell(run.settings.get("backbone"))
            run.attention = make_attention(pictures, chosen[:MOST_ATTENDED], get_model)


@contextlib.contextmanager
def _or_the_reason(run, section):
    """Leaves a section out if it can't be had, and notes why."""
    try:
        yield
    except (*DAMAGED, ImportError, tf.errors.OpError) as error:
        run.missing[section] = str(error)


def make_page_gallery(evidence, pictures, seed):
    """The gallery of the page: some of each kind.

    Raises:
        ValueError: If the run has no bank.
    """
    if evidence.features is None:
        raise ValueError("The run has no bank.")
    queries, why = [], []
    for how, count, words in QUERIES if evidence.has_window else QUERIES[-1:]:
        earlier = None
        if how == "just_opened":
            earlier = None if _is_large(evidence.pairing) else evidence.earlier
            if earlier is None:
                continue
        found = gallery.choose(
            len(evidence.keys), MOST_QUERIES, how, evidence.pairing, earlier, seed
        )
        found = [int(i) for i in found if i not in queries]
        found = found[: min(count, MOST_QUERIES - len(queries))]
        queries += found
        why += [words] * len(found)
    neighbors = evidence.neighbors(np.array(queries))
    return make_gallery(neighbors, why, pictures, evidence.checkpoint.place[0])


def class_purity(evidence, pictures):
    """`ClassPurity` of a run, and the names of its classes.

    Raises:
        ValueError: If labels or a bank are missing, or there are too many classes for a table.
    """
    if pictures.labels is None:
        raise ValueError("The images have no labels, or they aren't known.")
    if evidence.records is None or len(pictures.class_names) > MOST_CLASSES:
        raise ValueError(f"That takes a bank, and at most {MOST_CLASSES} classes.")
    indices = np.arange(len(evidence.keys))
    partners = indices if evidence.pairing is None else evidence.pairing.partners(indices)
    neighbors = bootstrapping.nearest_others(*evidence.records)
    purity = bootstrapping.class_purity(pictures.labels, partners, neighbors)
    return purity, [pictures.class_names[label] for label in purity.classes]


def make_map(settings, evidence, pictures, chosen, get_model):
    """The `FeatureMap` of some images.

    Raises:
        ValueError: If there are too few features.
    """
    if evidence.features is not None:
        chosen = chosen[evidence.features[chosen].any(axis=1)]
        features = evidence.features[chosen]
    elif images := pictures.read(chosen, settings.get("image_size", SIDE)):
        chosen, features = (
            np.array(list(images)),
            get_model().embed(np.stack(list(images.values()))),
        )
    else:
        chosen = chosen[:0]
    if len(chosen) < 3:
        raise ValueError("There is neither a bank nor are there images.")
    points, how = in_the_plane(features, settings.get("seed", 0))
    images = pictures.read(chosen)
    blank = np.full((THUMB, THUMB, 3), 128, np.uint8)
    return FeatureMap(
        points,
        how,
        names=[pictures.keys[index] for index in chosen],
        labels=None if pictures.labels is None else pictures.labels[chosen],
        class_names=pictures.class_names,
        sheet=sheet([images.get(i, blank) for i in chosen.tolist()], COLUMNS, THUMB)
        if images
        else None,
        columns=COLUMNS,
        side=THUMB,
    )


def in_the_plane(features, seed):
    """Points (n, 2) of features (n, D) by UMAP where it is installed, else by PCA; and how."""
    if importlib.util.find_spec("umap") is not None and len(features) > 15:
        import umap

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            points = umap.UMAP(metric="cosine", random_state=seed).fit_transform(features)
        return np.asarray(points, float), "UMAP of the cosines of their features"
    points, share = principal_plane(features)
    return (
        points,
        f"the plane in which their features differ most (PCA, {share:.0%} of the variance)",
    )


def _pictures(run, evidence, places, source):
    """The run's images, or the reason why there are none."""
    if source is None and not places:
        run.missing["pictures"] = (
            "The images were in memory, or a source of your own; --data_dir names a folder of them."
        )
    elif source is None:
        try:
            source = open_images(places, run.settings)
        except (OSError, ValueError) as error:
            run.missing["pictures"] = (
                f"The images are gone; --data_dir says where they are. {error}"
            )
    pictures = Pictures(source, evidence.keys)
    if source is not None and not pictures.are_there:
        run.missing["pictures"] = "None of the run's images is there by its name."
    return pictures


def _is_large(pairing):
    """Whether a second window beside this one is too much for a picture."""
    size = pairing.memory_bytes(pairing.num_images, pairing.window, pairing.topk)
    return size > MOST_BYTES


def _number(cell):
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _spread(numbers):
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low}" if low == high else f"{low} to {high}"
