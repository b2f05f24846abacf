"""`keras-adasim copy_detection`: which images are copies of others, by the distance of features."""

import numpy as np
from absl import flags

from keras_adasim import data
from keras_adasim.commands.copy_truth import read_copy_truth
from keras_adasim.commands.folder_protocol import (
    define,
    folder_of,
    open_folder_protocol,
    open_part,
    part_of,
    places_of,
    shares_of_quick,
)
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.evaluation import standard_error
from keras_adasim.evaluation.copy_detection import Whitening, gem_pool, micro_average_precision
from keras_adasim.evaluation.neighbor_search import find_neighbors
from keras_adasim.files import expand
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.validation import check_integer, check_number, renamed

DESCRIPTION = """
Micro average precision of copy detection, as on Copydays and DISC21:

    keras-adasim copy_detection --backbone=runs/photos --data_dir=disc

ranks the pairs of all queries with their --k most similar references together. The folder of the
data holds

    database/         images that may have been copied
    queries/          images of which some are copies
    ground_truth.csv  the header query,reference (or DISC21's query_id,reference_id), and a line
                      for each copy; names with or without .jpg; a reference left empty, or a query
                      that isn't named, is a copy of nothing. Or ground_truth.json, an object from
                      queries to lists of references
    distractors/      images that no query is a copy of, from which a whitening is learned; without
                      this folder there is none

For Copydays, where 200001.jpg in strong/ is a copy of 200000.jpg in original/, name these folders
queries/ and database/, and make the table so:

    (echo query,reference; for q in queries/*; do
         q=$(basename "$q"); echo "$q,${q%??.*}00.jpg"; done) > ground_truth.csv

An image is the features joined with the patch tokens, pooled by a generalized mean of --power, as
in DINO's evaluation; it is resized to a square. The table tells of the vectors as they are, and
whitened. Features are kept beside the backbone, in `features/`.
"""
# DINO's images are squares of 320 pixels.
OFFICIAL_SIZE = 320
QUICK_QUERIES, QUICK_IMAGES = 100, 300


def main(argv=None, program="copy_detection"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone", "data_dir"))


def define_flags(values):
    """Defines the flags."""
    define(values, OFFICIAL_SIZE, "Side")
    text = "File of the copies; ground_truth.csv or .json in the folder of the data by default."
    flags.DEFINE_string("ground_truth", None, text, flag_values=values)
    text = "References of each query that are ranked."
    flags.DEFINE_integer("k", 10, text, flag_values=values)
    text = "Exponent of the mean over patch tokens; 1 for the mean."
    flags.DEFINE_float("power", 4.0, text, flag_values=values)
    text = "Components of the whitening; 0 for all that the distractors tell of."
    flags.DEFINE_integer("whitening_dim", 0, text, flag_values=values)
    text = (
        f"A first answer: {QUICK_QUERIES} queries and {QUICK_IMAGES} images of the database and of "
        "the distractors, drawn once. Easier than the whole."
    )
    flags.DEFINE_bool("quick", False, text, flag_values=values)


def start(values):
    """Evaluates with parsed flags."""
    check_integer("k", values.k)
    check_integer("whitening_dim", values.whitening_dim, minimum=0)
    check_number("power", values.power, above=0)
    folder = folder_of(values.data_dir)
    path = truth_path(folder, values.ground_truth)
    truth = read_copy_truth(path)
    folders = [part_of(folder, name) for name in ("database", "queries")]
    protocol, size = open_folder_protocol("copy_detection", values, OFFICIAL_SIZE)
    protocol.backbone.check_tokens()
    database, queries = (open_part(protocol, each) for each in folders)
    distractors = None
    if (folder / "distractors").is_dir():
        distractors = open_part(protocol, folder / "distractors")
        check_whitening_dim(values.whitening_dim, distractors)
    places = places_of(queries, list(truth), path)
    copied = [places_of(database, references, path) for references in truth.values()]
    matches = dict(zip(places, copied, strict=True))
    if values.quick:
        rng = np.random.default_rng(values.seed)
        database, queries, distractors, matches = some(database, queries, distractors, matches, rng)
    if values.k > len(database):
        raise ValueError(
            f"Expected `k` from 1 to {len(database)}, the number of images in the database. "
            f"Received: k={values.k}"
        )
    evaluate(protocol, size, database, queries, distractors, matches)


def check_whitening_dim(dim, distractors):
    """Raises ValueError if so many distractors can't tell of so many components."""
    number = len(distractors)
    if number < 2:
        raise ValueError(
            "Expected two images or more in distractors/, to learn a whitening. Received: 1"
        )
    if dim >= number:
        raise ValueError(
            f"Expected `whitening_dim` below {number}, the number of distractors. Received: "
            f"whitening_dim={dim}"
        )


def truth_path(folder, given):
    """The file of the copies."""
    if given:
        return expand(given, "ground_truth")
    json = folder / "ground_truth.json"
    return json if json.is_file() else folder / "ground_truth.csv"


def some(database, queries, distractors, matches, rng):
    """Few queries, with what they are copies of, and few others."""
    copies = [query for query, references in matches.items() if references]
    others = np.setdiff1d(np.arange(len(queries)), copies)
    chosen = shares_of_quick(copies, others, QUICK_QUERIES, rng)
    copied = sorted({image for query in chosen for image in matches.get(query, ())})
    others = np.setdiff1d(np.arange(len(database)), copied)
    kept = sorted([*copied, *rng.permutation(others)[: max(0, QUICK_IMAGES - len(copied))]])
    new = {old: number for number, old in enumerate(kept)}
    matches = {
        number: [new[image] for image in matches.get(query, ())]
        for number, query in enumerate(chosen)
    }
    if distractors is not None:
        drawn = np.sort(rng.permutation(len(distractors))[:QUICK_IMAGES])
        distractors = data.Subset(distractors, drawn)
    return data.Subset(database, kept), data.Subset(queries, chosen), distractors, matches


def evaluate(protocol, size, database, queries, distractors, matches):
    """Compares all queries with the database, and prints a line for each kind of vector.

    Args:
        protocol: `FolderProtocol`.
        size: Side of the images in pixels.
        database: Source of the images that may have been copied.
        queries: Source of the images of which some are copies.
        distractors: Source of the images that the whitening is learned from, or None.
        matches: Dict of queries' places to lists of places in the database.

    Returns:
        List of dicts, one for each kind.
    """
    flags = protocol.settings
    sources = {"database": database, "queries": queries}
    if distractors is not None:
        sources["distractors"] = distractors
    look = Look(protocol.backbone, flags["power"])
    transform = {"square": size, "took": f"features and tokens pooled by {flags['power']}"}
    vectors = {}
    for name, source in sources.items():
        looks = (lambda height, width: (size, size)), look, transform
        vectors[name] = normalized(protocol.looked(source, f"the {name}", *looks))
    total = sum(map(len, matches.values()))
    print(f"{len(queries)} queries, {len(database)} images, {total} copies", flush=True)
    kinds = {"as they are": vectors}
    if distractors is None:
        print("no folder distractors/: nothing is whitened")
    else:
        kinds["whitened"] = whitened(vectors, flags["whitening_dim"])
    results = [
        {"vectors": name, **told(each["queries"], each["database"], matches, flags["k"])}
        for name, each in kinds.items()
    ]
    header = ("vectors", "size", "micro AP %", "top-1 %")
    print(*table(header, map(row, results)), sep="\n", flush=True)
    protocol.save(results, sources)
    return results


class Look:
    """What an image is: the features, and behind them the pooled patch tokens.

    Args:
        backbone: `Network`.
        power: As for `gem_pool`.
    """

    def __init__(self, backbone, power):
        self.backbone, self.power = backbone, power

    def __call__(self, images):
        """(B, F) of uint8 images (B, S, S, C)."""
        outputs = self.backbone.look(images)
        tokens = outputs["tokens"].numpy()
        pooled = gem_pool(tokens.reshape(len(tokens), -1, tokens.shape[-1]), self.power)
        return np.concatenate([outputs["features"], pooled], axis=1)


def normalized(vectors):
    """Vectors of length 1."""
    return l2_normalize(vectors).numpy()


def whitened(vectors, dim):
    """Dict of the same vectors, whitened by what the distractors have in common.

    Args:
        vectors: Dict of arrays.
        dim: How many components are kept; 0 for as many as the distractors tell of.
    """
    number, size = vectors["distractors"].shape
    with renamed(dim="whitening_dim"):
        whitening = Whitening(vectors["distractors"], dim or min(size, number - 1))
    return {name: normalized(whitening(each)) for name, each in vectors.items()}


def told(queries, database, matches, k):
    """What comes of the vectors of queries and database, for JSON."""
    ids, scores = find_neighbors(queries, database, k)
    copied = [matches.get(query, ()) for query in range(len(queries))]
    is_match = np.stack([np.isin(row, each) for row, each in zip(ids, copied, strict=True)])
    total = sum(map(len, copied))
    copies = [query for query, each in enumerate(copied) if len(each)]
    top1 = float(is_match[copies, 0].mean())
    return {
        "size": int(queries.shape[1]),
        "micro_ap": micro_average_precision(scores.ravel(), is_match.ravel(), total),
        "top1": top1,
        "top1_standard_error": standard_error(top1, len(copies)),
    }


def row(result):
    """A line of the table."""
    top1 = percent(result["top1"], result["top1_standard_error"])
    return result["vectors"], result["size"], percent(result["micro_ap"]), top1
