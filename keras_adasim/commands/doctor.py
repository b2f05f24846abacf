"""`keras-adasim doctor`: what is wrong with the images of a folder, and which to label first."""

import csv
import io
import json
import time

import numpy as np
from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import HELP, load_embedder
from keras_adasim.commands.running import run
from keras_adasim.data.listing import printable
from keras_adasim.data.looking import HOW
from keras_adasim.evaluation import diverse_subset, doctor, embed
from keras_adasim.evaluation.small_images import small_images
from keras_adasim.files import expand, write_file
from keras_adasim.validation import check_integer, renamed

DESCRIPTION = """
Looks for what is wrong with images, with the features of a backbone and without labels:

    keras-adasim doctor --backbone=runs/photos --data_dir=photos --out=runs/photos/doctor

writes tables of near-duplicates, of images that stand in train and test both, of outliers, of
images of one color and of files that can't be read, with paths, and doctor.json with the
thresholds. With --num_to_label=100 it chooses as many training images to label first, without what
is found.
"""
COLUMNS = {
    "duplicates": ("cluster", "similarity", "path"),
    "leaks": ("similarity", "train", "test"),
    "outliers": ("why", "distance", "threshold", "path"),
    "one_color": ("levels", "path"),
    "unreadable": ("path", "reason"),
    "to_label": ("path",),
}
CHOOSERS = {"k_center": diverse_subset.k_center, "typicality": diverse_subset.typical}
QUICK = 2000


def main(argv=None, program="doctor"):
    """Reads the flags and looks."""
    run(program, DESCRIPTION, define, start, argv, required=("backbone", "data_dir", "out"))


def define(values):
    """Defines the flags."""
    flags.DEFINE_string("backbone", None, HELP, flag_values=values)
    text = "Folder of images, or with train/ and test/ or val/."
    flags.DEFINE_string("data_dir", None, text, flag_values=values)
    flags.DEFINE_string("out", None, "Folder to write to.", flag_values=values)
    flags.DEFINE_integer("num_to_label", 0, "Images to choose for labels.", flag_values=values)
    text = (
        "k_center: no other image is far from all of them; typicality: many others are like each."
    )
    flags.DEFINE_enum("choose_by", "k_center", list(CHOOSERS), text, flag_values=values)
    text = "full decodes all images, headers reads headers and ends; auto: full within 3 minutes."
    flags.DEFINE_enum("look", "full", HOW, text, flag_values=values)
    text = f"Take up to {QUICK} images of each split, drawn once."
    flags.DEFINE_bool("quick", False, text, flag_values=values)
    flags.DEFINE_integer("batch_size", 256, "Images embedded at a time.", flag_values=values)


def start(values):
    """Looks with parsed flags.

    Raises:
        ValueError: If there are fewer images than are to be chosen.
    """
    check_integer("batch_size", values.batch_size)
    check_integer("num_to_label", values.num_to_label, minimum=0)
    out = expand(values.out, "out")
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"Expected `out` to be a folder. Received: out={out}, a file")
    backbone = load_embedder(values.backbone)
    with renamed(path="data_dir"):
        sources = data.open_splits(values.data_dir, backbone.channels)
    sources = {n: s for n, s in zip(("train", "test"), sources, strict=True) if s is not None}
    if values.num_to_label > len(sources["train"]):
        raise ValueError(
            f"Expected `num_to_label` to be at most {len(sources['train'])}, the number of "
            f"training images. Received: num_to_label={values.num_to_label}"
        )
    begin = time.monotonic()
    left_out = [row for source in sources.values() for row in left_out_of(source)]
    if values.quick:
        sources = {name: some(source) for name, source in sources.items()}
    images = Images(backbone, sources, values.look, values.batch_size)
    tables, facts = examine(images)
    tables["unreadable"] = sorted([*left_out, *images.unreadable.items()])
    named = {row[-1] for row in tables["outliers"]}
    chosen = choose(images, named, tables, values.num_to_label, values.choose_by)
    tables["to_label"] = [(images.paths[i],) for i in chosen]
    facts |= {"num_to_label": values.num_to_label, "choose_by": values.choose_by}
    facts |= {"seconds": round(time.monotonic() - begin, 1)}
    write(out, tables, facts, values)
    print(*summary(tables, facts), f"tables: {out}", sep="\n", flush=True)


def left_out_of(source):
    """Yields paths and reasons of what is called like an image and can't be read as a file."""
    for path, reason in getattr(source, "left_out", {}).items():
        yield printable(source.path / path), reason


def some(source):
    """Up to `QUICK` images of a source, drawn once."""
    chosen = np.random.default_rng(0).permutation(len(source))[:QUICK]
    return data.Subset(source, np.sort(chosen))


class Images:
    """Features and small versions of all images that can be read.

    Args:
        backbone: An `Embedder`.
        sources: Dict of `"train"`, and maybe `"test"`, to sources.
        look: As for `data.look_at`.
        batch_size: Images embedded at a time.

    Attributes:
        paths: List of N strings.
        is_test: (N,) bool array.
        features: (N, D) float32 array.
        small: `SmallImages` of them.
        unreadable: Dict of paths to reasons.

    Raises:
        ValueError: If fewer than two images can be read.
    """

    def __init__(self, backbone, sources, look, batch_size):
        self.paths, self.unreadable, is_test, features, small = [], {}, [], [], []
        for name, source in sources.items():
            backbone.prepare(source)
            sound = self._sound(source, look)
            print(f"{name}: {len(sound)} images ...", flush=True)
            if not len(sound):
                continue
            size = backbone.image_size
            features.append(embed(source, backbone.embed, batch_size, size, indices=sound))
            small.append(small_images(source, batch_size, sound))
            self.paths += [source.describe(int(i)) for i in sound]
            is_test += [name == "test"] * len(sound)
        if len(self.paths) < 2:
            raise ValueError(
                "Expected `data_dir` with at least two images that can be read. "
                f"Received: {len(self.paths)} of {sum(map(len, sources.values()))}"
            )
        self.is_test, self.features = np.array(is_test), np.concatenate(features)
        self.small = type(small[0])(*map(np.concatenate, zip(*small, strict=True)))

    def _sound(self, source, look):
        """Indices of the images that can be read."""
        looks = data.look_at(source, look, say=print)
        if looks is None:
            return np.arange(len(source))
        self.unreadable |= {source.describe(i): why for i, why in looks.reasons.items()}
        return np.setdiff1d(np.arange(len(source)), looks.bad)


def examine(images):
    """What is found.

    Args:
        images: `Images`.

    Returns:
        Tuple of a dict of tables, lists of rows as in `COLUMNS`, and a dict of facts: numbers,
        thresholds and what chance gives.
    """
    paths, small = images.paths, images.small
    flat = doctor.one_color(small.span)
    kept = np.setdiff1d(np.arange(len(paths)), flat)
    tables = {"one_color": [(int(small.span[i]), paths[i]) for i in flat]}
    tables |= {"duplicates": [], "leaks": [], "outliers": []}
    facts = {"train": int(np.sum(~images.is_test)), "test": int(np.sum(images.is_test))}
    if len(kept) < 2:
        return tables, facts
    found = doctor.near_duplicates(images.features[kept], small.gray[kept])
    names = [paths[i] for i in kept]
    tables["duplicates"] = cluster_rows(found, names)
    tables["leaks"] = leak_rows(found, names, images.is_test[kept])
    facts["duplicates"] = {
        "clusters": len(found.clusters),
        "threshold": found.threshold,
        "median_by_chance": found.chance,
        "expected_by_chance": found.expected,
    }
    for why, each in (
        ("features", doctor.far_from_neighbors(images.features[kept])),
        ("look", doctor.unlike_in_look(small.look[kept])),
    ):
        if each is not None:
            facts[f"outliers_by_{why}"] = {"threshold": each.threshold, "median": each.median}
            tables["outliers"] += [
                (why, rounded(each.distances[i]), rounded(each.threshold), names[i])
                for i in each.indices
            ]
    return tables, facts


def cluster_rows(found, names):
    """A row for each image of a cluster, with its similarity to the nearest one in it."""
    best = np.zeros(len(names))
    for side in (0, 1):
        np.maximum.at(best, found.pairs[:, side], found.similarities)
    return [
        (number, rounded(best[i]), names[i])
        for number, cluster in enumerate(found.clusters)
        for i in cluster
    ]


def leak_rows(found, names, is_test):
    """A row for each pair of a training and a test image."""
    rows = []
    for (first, second), similarity in zip(found.pairs, found.similarities, strict=True):
        if is_test[first] != is_test[second]:
            train, test = (second, first) if is_test[first] else (first, second)
            rows.append((rounded(similarity), names[train], names[test]))
    return rows


def rounded(number):
    """Four digits behind the point."""
    return round(float(number), 4)


def choose(images, named, tables, number, how):
    """Training images to label first: indices, without what was found and without copies."""
    if not number:
        return []
    seen = set()
    for cluster, _, path in tables["duplicates"]:
        named = named | {path} if cluster in seen else named
        seen.add(cluster)
    named = named | {path for _, path in tables["one_color"]}
    places = np.array(
        [i for i, path in enumerate(images.paths) if path not in named and not images.is_test[i]]
    )
    number = min(number, len(places))
    return places[CHOOSERS[how](images.features[places], number)] if number else []


def write(out, tables, facts, values):
    """Writes a CSV file for each table, and doctor.json."""
    for name, header in COLUMNS.items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *tables[name]])
        write_file(out / f"{name}.csv", text.getvalue())
    facts = {
        "backbone": values.backbone,
        "data_dir": values.data_dir,
        "quick": values.quick,
        **facts,
        "found": {name: len(tables[name]) for name in COLUMNS},
    }
    write_file(out / "doctor.json", json.dumps(facts, indent=2) + "\n")


def summary(tables, facts):
    """Lines of a table of what was found, and by which threshold."""
    notes = dict.fromkeys(COLUMNS, "")
    if "duplicates" in facts:
        each = facts["duplicates"]
        notes["duplicates"] = (
            f"images in {each['clusters']} clusters; details correlate by {each['threshold']:.3f} "
            f"or more, two images by chance by {each['median_by_chance']:.3f}"
        )
        notes["leaks"] = "pairs of a training and a test image among them"
    if facts["test"] == 0:
        notes["leaks"] = "no test images"
    notes["outliers"] = "; ".join(
        f"by {why}: farther than {facts[key]['threshold']:.3f}, the median is "
        f"{facts[key]['median']:.3f}"
        for why in ("features", "look")
        if (key := f"outliers_by_{why}") in facts
    )
    notes["one_color"] = f"spans of at most {doctor.ONE_COLOR} of 255 levels"
    if facts["num_to_label"]:
        notes["to_label"] = f"of {facts['num_to_label']}, chosen by {facts['choose_by']}"
    lines = [f"{facts['train']} training and {facts['test']} test images, {facts['seconds']:.0f} s"]
    for name, note in notes.items():
        lines.append(f"{name:10}  {len(tables[name]):6}  {note}".rstrip())
    return lines
