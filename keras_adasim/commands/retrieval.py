"""`keras-adasim retrieval`: images of what a query shows, ranked, as on Oxford and Paris."""

import math

import numpy as np
import tensorflow as tf
from absl import flags

from keras_adasim import data
from keras_adasim.commands.folder_protocol import (
    define,
    folder_of,
    open_folder_protocol,
    open_part,
    part_of,
    places_of,
    shares_of_quick,
)
from keras_adasim.commands.retrieval_truth import KINDS, read_retrieval_truth
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.evaluation import error_of_mean
from keras_adasim.evaluation.retrieval import average_precision
from keras_adasim.files import expand
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.pretraining.results import finite
from keras_adasim.validation import check_number

DESCRIPTION = """
Mean average precision of image retrieval, as on the revisited Oxford and Paris:

    keras-adasim retrieval --backbone=runs/photos --data_dir=roxford5k

The folder of the data holds jpg/ (or images/) and gnd.json, whose keys are those of the official
gnd_roxford5k.pkl:

    imlist   names of the database's images, with or without .jpg
    qimlist  names of the queries' images
    gnd      for each query an object with the lists easy, hard and junk, places in imlist counted
             from 0, and bbx, left, top, right and bottom edge in pixels of what is looked for; or
             no bbx at all, for whole images

A pickle is a program, and is not read here. This makes the JSON of the official one, and calls
nothing but what builds NumPy's arrays:

    import json, pickle
    class Arrays(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ("_codecs", "encode"):
                return lambda text, encoding: text.encode(encoding)
            known = ("_reconstruct", "ndarray", "dtype", "scalar")
            if module.split(".")[0] != "numpy" or name not in known:
                raise pickle.UnpicklingError(module + "." + name)
            return super().find_class(module, name)
    with open("gnd_roxford5k.pkl", "rb") as official, open("gnd.json", "w") as made:
        gnd = Arrays(official, encoding="latin1").load()
        json.dump(gnd, made, default=lambda array: array.tolist())

Images keep the ratio of their sides, and the longer one is made --image_size, if it isn't smaller
already; sides are rounded to whole patches. Queries are cut out by their bbx, as the benchmark
wants it (DINO's code looks at all of the query's image: --nocrop_queries). Each image is looked at
in several scales, whose features are averaged. Easy counts the easy images, Medium easy and hard
ones, Hard the hard ones; the others, and junk, are taken out of the ranking. Errors are those of a
mean over queries. Features are kept beside the backbone, in `features/`.
"""
# DINO's images have a longer side of 512 pixels.
OFFICIAL_SIZE = 512
SCALES = (1.0, 2**-0.5, 0.5)
KAPPAS = (1, 5, 10)
QUICK_QUERIES, QUICK_IMAGES = 10, 300


def main(argv=None, program="retrieval"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone", "data_dir"))


def define_flags(values):
    """Defines the flags."""
    define(values, OFFICIAL_SIZE, "Longer side")
    text = (
        "JSON file of what belongs to the queries; gnd.json in the folder of the data by default."
    )
    flags.DEFINE_string("ground_truth", None, text, flag_values=values)
    text = "Scale that images are looked at in. Several times for several."
    flags.DEFINE_multi_float("scale", list(SCALES), text, flag_values=values)
    text = "Cut the queries out of their images, by their bbx."
    flags.DEFINE_bool("crop_queries", True, text, flag_values=values)
    text = (
        f"A first answer: {QUICK_QUERIES} queries and {QUICK_IMAGES} images, drawn once, two "
        "thirds of which belong to a query. Easier than the whole."
    )
    flags.DEFINE_bool("quick", False, text, flag_values=values)


def start(values):
    """Evaluates with parsed flags."""
    for scale in values.scale:
        check_number("scale", scale, above=0, maximum=1)
    folder = folder_of(values.data_dir)
    path = expand(values.ground_truth or folder / "gnd.json", "ground_truth")
    truth = read_retrieval_truth(path)
    images = part_of(folder, "jpg", "images")
    protocol, size = open_folder_protocol("retrieval", values, OFFICIAL_SIZE)
    scales = Scales(protocol.backbone, size, values.scale)
    if values.quick:
        truth = some(truth, np.random.default_rng(values.seed))
    source = open_part(protocol, images)
    database, queries = (
        data.Subset(source, places_of(source, names, path))
        for names in (truth.database, truth.queries)
    )
    boxes = truth.boxes if values.crop_queries else None
    check_boxes(queries, boxes)
    evaluate(protocol, truth, database, queries, boxes, scales)


class Scales:
    """One feature of an image that is looked at in several scales.

    Args:
        backbone: `Network`.
        size: Longer side of the largest scale in pixels.
        scales: Numbers in (0, 1].

    Raises:
        ValueError: If the backbone can't take a size.
    """

    def __init__(self, backbone, size, scales):
        self.backbone, self.size, self.scales = backbone, size, sorted(scales, reverse=True)
        if backbone.fixed_size and self.scales != [1.0]:
            raise ValueError(
                f"Expected `scale` to be 1 alone, as the backbone takes images of {size} pixels "
                f"alone. Received: scale={scales}. Pass --scale=1"
            )
        for scale in self.scales:
            backbone.check_sides(*[backbone.rounded(scale * size)] * 2)
        self.transform = {"longer_side": size, "scales": self.scales, "took": "features"}

    def sides(self, height, width):
        """The sides of an image that is looked at."""
        if self.backbone.fixed_size:
            return self.size, self.size
        ratio = min(1.0, self.size / max(height, width))
        return self.backbone.rounded(ratio * height), self.backbone.rounded(ratio * width)

    def look(self, images):
        """Mean features (B, D) of uint8 images (B, H, W, C), divided by their length."""
        height, width = images.shape[1:3]
        features = []
        for scale in self.scales:
            sides = [self.backbone.rounded(scale * side) for side in (height, width)]
            scaled = images
            if sides != [height, width]:
                scaled = tf.image.resize(images, sides, antialias=True)
                scaled = tf.saturate_cast(tf.round(scaled), tf.uint8)
            features.append(self.backbone.look(scaled)["features"])
        return l2_normalize(tf.add_n(features))


def check_boxes(queries, boxes):
    """Raises ValueError, before minutes of work, for a box outside of its image."""
    for query, (left, top, *_) in enumerate(boxes or ()):
        height, width = queries[query].shape[:2]
        if not (left < width and top < height):
            raise ValueError(
                "Expected every bbx to begin within the query's image. Received: "
                f"{boxes[query]} of {queries.describe(query)}, of {width} x {height} pixels"
            )


def some(truth, rng):
    """Few queries with images that belong to one, and few others."""
    queries = sorted(rng.permutation(len(truth.queries))[:QUICK_QUERIES].tolist())
    lists = [truth.lists[kind][query] for query in queries for kind in KINDS]
    listed = np.unique(np.concatenate(lists)).astype(int)
    others = np.setdiff1d(np.arange(len(truth.database)), listed)
    return truth.part(queries, shares_of_quick(listed, others, QUICK_IMAGES, rng))


def evaluate(protocol, truth, database, queries, boxes, scales):
    """Ranks the database for every query, and prints a line for every level.

    Args:
        protocol: `FolderProtocol`.
        truth: `RetrievalTruth`.
        database: Source of the images that are ranked.
        queries: Source of the queries' images.
        boxes: As for `embed_by_size`.
        scales: `Scales`.

    Returns:
        List of dicts, one for each level.
    """
    looks = scales.sides, scales.look, scales.transform
    wanted = protocol.looked(queries, "the queries", *looks, boxes=boxes)
    features = protocol.looked(database, "the database", *looks)
    print(f"{len(queries)} queries, {len(database)} images", flush=True)
    ranks = np.argsort(-(features @ wanted.T), axis=0, kind="stable")
    results = [
        told(level, truth.queries, *average_precision(ranks, positives, junk, KAPPAS))
        for level, (positives, junk) in truth.levels().items()
    ]
    header = ("level", "mAP %", *(f"mP@{kappa} %" for kappa in KAPPAS), "queries")
    print(*table(header, map(row, results)), sep="\n", flush=True)
    protocol.save(results, {"database": database, "queries": queries})
    return results


def told(level, names, mean, per_query, precisions):
    """A level's results, for JSON."""
    known = ~np.isnan(per_query)
    at = precisions[known].mean(axis=0) if known.any() else [math.nan] * len(KAPPAS)
    return {
        "level": level,
        "queries": int(known.sum()),
        "map": finite(mean),
        "map_standard_error": finite(error_of_mean(per_query)),
        "precision_at": {str(k): finite(float(each)) for k, each in zip(KAPPAS, at, strict=True)},
        "average_precision": {
            name: finite(float(each)) for name, each in zip(names, per_query, strict=True)
        },
    }


def row(result):
    """A line of the table."""
    if result["map"] is None:
        return (result["level"], *"-" * (1 + len(KAPPAS)), 0)
    precisions = [percent(each) for each in result["precision_at"].values()]
    mean = percent(result["map"], result["map_standard_error"])
    return (result["level"], mean, *precisions, result["queries"])
