"""What `keras-adasim doctor` finds of what was planted, and how long it takes.

    python benchmarks/doctor.py --cifar=cifar10 --backbone=runs/cifar10 [--seeds=3]
    python benchmarks/doctor.py --images=50000 [--size=384]

The first takes 500 training and 100 test images of CIFAR-10 by chance, and plants among them

- 10 duplicates: 4 copied, 3 shifted by 2 pixels, 3 encoded again at JPEG quality 60;
- 5 leaks: test images that are training images, encoded again at quality 60;
- 5 outliers: 3 pages of text, 2 of noise;
- 2 images of one color, and 2 files that are cut off;

then prints a table of what is found. False are the pairs and images that were named and not
planted. The second measures time and memory for features and small images drawn by chance, of which
0.1 % are copies of others.
"""

import os
import pathlib
import resource
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import app, flags
from PIL import Image, ImageDraw

from keras_adasim import data
from keras_adasim.commands.backbone import load_embedder
from keras_adasim.commands.doctor import Images, examine
from keras_adasim.evaluation import diverse_subset, doctor

FLAGS = flags.FLAGS
flags.DEFINE_string("cifar", None, "Folder of CIFAR-10 with train/ and test/.")
flags.DEFINE_string("backbone", None, "Folder of a run or an export.")
flags.DEFINE_integer("seeds", 3, "Sets that are planted.")
flags.DEFINE_integer("images", 0, "Measure with so many images drawn by chance.")
flags.DEFINE_integer("size", 384, "Size of their features.")
TEXT = "Features are worth what they tell of images that nobody has labeled. "


def plant(cifar, folder, seed=0):
    """Writes train/ and test/ with 500 and 100 images of CIFAR-10, and plants among them.

    Args:
        cifar: Folder with train/ and test/, each with folders of JPEG files.
        folder: Where to write.
        seed: Seed of all that is drawn.

    Returns:
        Dict of what was planted: of `"duplicates"` and `"leaks"` sets of pairs of paths, else sets
        of paths.
    """
    rng = np.random.default_rng(seed)
    for split, count in (("train", 500), ("test", 100)):
        paths = sorted(pathlib.Path(cifar, split).glob("*/*.jpg"))
        for number, i in enumerate(rng.choice(len(paths), count, replace=False)):
            write(folder / split / f"{number:03d}.jpg", paths[i].read_bytes())
    originals = [folder / "train" / f"{i:03d}.jpg" for i in rng.choice(500, 17, replace=False)]
    planted = {"duplicates": set(), "leaks": set()}
    for number, original in enumerate(originals[:15]):
        kind = "duplicates" if number < 10 else "leaks"
        split = "train" if number < 10 else "test"
        copy = folder / split / f"planted_{number}.jpg"
        write(copy, copied(original, number))
        planted[kind].add(frozenset((f"{original}", f"{copy}")))
    planted["outliers"] = set()
    for number in range(5):
        path = folder / "train" / f"outlier_{number}.png"
        page(rng).save(path) if number < 3 else noise(rng).save(path)
        planted["outliers"].add(f"{path}")
    planted["one color"] = {f"{folder}/train/one_color_{i}.png" for i in range(2)}
    for color, path in zip(((0, 0, 0), (250, 240, 230)), sorted(planted["one color"]), strict=True):
        Image.new("RGB", (32, 32), color).save(path)
    planted["unreadable"] = set(map(str, originals[15:]))
    for original in originals[15:]:
        original.write_bytes(original.read_bytes()[:400])
    return planted


def write(path, contents):
    """Writes a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)


def copied(original, number):
    """Bytes of a copy: as it is, shifted by 2 pixels, or encoded again."""
    if number < 4:
        return original.read_bytes()
    image = Image.open(original)
    if number < 7:
        pixels = np.pad(np.asarray(image), ((2, 2), (2, 2), (0, 0)), mode="edge")
        top, left = ((0, 2), (4, 4), (2, 0))[number - 4]
        image = Image.fromarray(pixels[top : top + 32, left : left + 32])
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        image.save(file.name, quality=95 if number < 7 else 60)
        return pathlib.Path(file.name).read_bytes()


def page(rng):
    """A page of text, 32 pixels wide."""
    image = Image.new("RGB", (256, 256), (255, 255, 255))
    words = rng.permutation(TEXT.split() * 12)
    lines = [" ".join(words[i : i + 6]) for i in range(0, 96, 6)]
    ImageDraw.Draw(image).multiline_text((12, 12), "\n".join(lines), fill=(0, 0, 0))
    return image.resize((32, 32), Image.Resampling.LANCZOS)


def noise(rng):
    """Noise of all colors, 32 pixels wide."""
    return Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))


def found_of(folder, backbone):
    """What is found in a folder, as `plant` returns it."""
    splits = dict(zip(("train", "test"), data.open_splits(folder), strict=True))
    images = Images(backbone, splits, "full", 256)
    tables, facts = examine(images)
    clusters = {}
    for cluster, _, path in tables["duplicates"]:
        clusters.setdefault(cluster, []).append(path)
    leaks = {frozenset(row[1:]) for row in tables["leaks"]}
    pairs = {frozenset((p[0], other)) for p in clusters.values() for other in p[1:]}
    found = {"duplicates": pairs - leaks, "leaks": leaks}
    found["outliers"] = {row[-1] for row in tables["outliers"]}
    found["one color"] = {row[-1] for row in tables["one_color"]}
    found["unreadable"] = set(images.unreadable)
    return found, facts


def find_planted():
    """Prints the table of what is found."""
    backbone = load_embedder(FLAGS.backbone)
    print("| seed | planted | number | found | false | threshold |\n|---|---|---|---|---|---|")
    for seed in range(FLAGS.seeds):
        with tempfile.TemporaryDirectory() as folder:
            planted = plant(FLAGS.cifar, pathlib.Path(folder), seed)
            found, facts = found_of(folder, backbone)
        for kind, known in planted.items():
            by = {"duplicates": "duplicates", "outliers": "outliers_by_look"}.get(kind)
            threshold = f"{facts[by]['threshold']:.3f}" if by else ""
            hits, false = len(found[kind] & known), len(found[kind] - known)
            print(
                f"| {seed} | {kind} | {len(known)} | {hits} | {false} | {threshold} |", flush=True
            )


def measure():
    """Prints seconds of each part, and the memory at the end."""
    rng, number = np.random.default_rng(0), FLAGS.images
    features = rng.normal(size=(number, FLAGS.size)).astype(np.float32)
    gray = rng.integers(0, 256, (number, 32, 32), np.uint8)
    copies = number // 1000
    features[:copies], gray[:copies] = features[-copies:], gray[-copies:]
    look = rng.normal(size=(number, 16))
    for name, part in (
        ("near_duplicates", lambda: doctor.near_duplicates(features, gray)),
        ("far_from_neighbors", lambda: doctor.far_from_neighbors(features)),
        ("unlike_in_look", lambda: doctor.unlike_in_look(look)),
        ("k_center of 1000", lambda: diverse_subset.k_center(features, 1000)),
    ):
        start = time.perf_counter()
        result = part()
        seconds = time.perf_counter() - start
        more = f", {len(result.clusters)} of {copies}" if name == "near_duplicates" else ""
        print(f"{name}: {seconds:.1f} s{more}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{number} images, {FLAGS.size} features: peak of {peak:.2f} GiB, data included")


def main(_):
    """Measures with parsed flags."""
    if FLAGS.images:
        measure()
    else:
        find_planted()


if __name__ == "__main__":
    app.run(main)
