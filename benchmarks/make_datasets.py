"""Makes small data sets for the protocols whose own can't be downloaded everywhere.

    python benchmarks/make_datasets.py --cifar10=FOLDER --out=FOLDER [--seed=0]

From the photographs in scikit-image's wheel and CIFAR-10 as class folders, in some seconds:

- retrieval/: every photograph as a query; easy images are large parts of it in other light, hard
  ones small, turned, blurred or gray, junk is next to nothing of it; CIFAR images between them;
- copies/: images encoded again, cropped, blurred, or all of it, among others that are no copies;
- video/: two ellipses cut from photographs, moving over a third; their masks are exact;
- dense/: scenes of textures, each class a photograph; test scenes are cut from other halves of it.

They tell whether a command works, and one network from another; they say little of real data.
"""

import argparse
import csv
import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import skimage
from PIL import Image, ImageFilter

from keras_adasim import data
from keras_adasim.export.folder import written_whole

PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "chelsea.png",
    "camera.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "rocket.jpg",
)
VIDEOS = (
    ("cat", "grass.png", ("chelsea.png", "coffee.png")),
    ("cup", "hubble_deep_field.jpg", ("coffee.png", "ihc.png")),
    ("astronaut", "gravel.png", ("astronaut.png", "rocket.jpg")),
)
TEXTURES = (
    "gravel.png",
    "grass.png",
    "brick.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
)
# Black, red, green and blue, and what isn't counted in white.
PALETTE = [0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 200, 200, 200, 0, 0, 200, 200]
PALETTE += [0, 0, 0] * (255 - len(PALETTE) // 3) + [255, 255, 255]


def main(argv=None):
    """Makes all of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cifar10", required=True, help="folder of class folders, or of train/")
    parser.add_argument("--out", required=True, help="folder to make; must be new or empty")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    try:
        for name, number in make_all(options.cifar10, options.out, options.seed).items():
            print(f"{name:10} {number:5} images  {pathlib.Path(options.out) / name}")
    except (ValueError, OSError) as error:
        sys.exit(f"make_datasets.py: {error}")


def make_all(cifar10, out, seed=0, small=False):
    """Makes all four sets.

    Args:
        cifar10: Folder of images by class.
        out: Folder to make.
        seed: Non-negative integer.
        small: Whether to make next to nothing, for a test.

    Returns:
        Dict of the sets' names to how many images they have, masks not counted.

    Raises:
        FileExistsError: If something is in `out`.
    """
    out = pathlib.Path(out).expanduser()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"Expected `out` to be a new or an empty folder. Received: out={out}, which is taken"
        )
    others = Others(cifar10, np.random.default_rng(seed))
    sizes = SMALL if small else FULL
    with written_whole(out) as folder:
        for number, (name, (make, size)) in enumerate(sizes.items()):
            make(folder / name, others, np.random.default_rng([seed, number]), **size)
        return {name: count_images(folder / name) for name in sizes}


def count_images(folder):
    """How many images a set has, without its masks."""
    paths = [*folder.rglob("*.png"), *folder.rglob("*.jpg")]
    return sum(path.parent.name != "masks" and "Annotations" not in path.parts for path in paths)


class Others:
    """Images of CIFAR-10 in an order that is drawn once, each given once.

    Args:
        folder: Folder of images by class.
        rng: NumPy's generator.
    """

    def __init__(self, folder, rng):
        self.source = data.open_splits(folder)[0]
        self._order = iter(rng.permutation(len(self.source)))

    def take(self, number):
        """List of so many further images, fewer if there are no more."""
        places = [next(self._order, None) for _ in range(number)]
        return [Image.fromarray(self.source[int(p)]) for p in places if p is not None]


def photograph(name, longest):
    """A photograph of the wheel, its longer side of so many pixels."""
    image = Image.open(pathlib.Path(skimage.__file__).parent / "data" / name).convert("RGB")
    ratio = longest / max(image.size)
    return image.resize([max(1, round(side * ratio)) for side in image.size])


def part(image, share, rng):
    """A random rectangle of an image, each side of that share."""
    width, height = (max(4, round(side * share)) for side in image.size)
    left = rng.integers(image.width - width + 1)
    top = rng.integers(image.height - height + 1)
    return image.crop((left, top, left + width, top + height))


def in_other_light(image, rng, amount=0.3):
    """Brighter or darker."""
    factor = 1 + rng.uniform(-amount, amount)
    return image.point(lambda value: min(255, round(value * factor)))


def save(image, path, **options):
    """Writes an image; the suffix tells the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def make_retrieval(folder, others, rng, names=PHOTOGRAPHS, each=3, between=60, side=160):
    """Queries, images of theirs, and a gnd.json."""
    database, queries, gnd = [], [], []

    def keep(image, name):
        save(image, folder / "jpg" / f"{name}.jpg", quality=90)
        database.append(name)
        return len(database) - 1

    for name in names:
        stem, whole = name.partition(".")[0], photograph(name, side)
        easy = [
            keep(in_other_light(part(whole, rng.uniform(0.6, 0.9), rng), rng), f"{stem}_easy{i}")
            for i in range(each)
        ]
        hard = [keep(hardly(whole, i, rng), f"{stem}_hard{i}") for i in range(each)]
        blurred = part(whole, 0.15, rng).filter(ImageFilter.GaussianBlur(4))
        gnd.append({"easy": easy, "hard": hard, "junk": [keep(blurred, f"{stem}_junk")]})
        margin = [0.1 * whole.width, 0.1 * whole.height, 0.9 * whole.width, 0.9 * whole.height]
        gnd[-1]["bbx"] = margin
        queries.append(f"{stem}_query")
        save(in_other_light(whole, rng), folder / "jpg" / f"{stem}_query.jpg", quality=90)
    for number, image in enumerate(others.take(between)):
        keep(image, f"other_{number}")
    facts = {"imlist": database, "qimlist": queries, "gnd": gnd}
    (folder / "gnd.json").write_text(json.dumps(facts) + "\n")


def hardly(image, number, rng):
    """A small part of an image, turned; blurred or gray."""
    turned = part(image.rotate(rng.uniform(15, 40), Image.Resampling.BILINEAR), 0.5, rng)
    if number % 3 == 0:
        return turned.filter(ImageFilter.GaussianBlur(2))
    return turned.convert("L").convert("RGB") if number % 3 == 1 else in_other_light(turned, rng)


def make_copies(folder, others, rng, copied=45, between=45, distractors=400, side=64):
    """A database, queries of which half are copies, and distractors."""
    patches = [part(photograph(name, 4 * side), 0.25, rng) for name in PHOTOGRAPHS]
    sources = [*patches, *others.take(copied)][:copied]
    rows = []
    for number, image in enumerate([*sources, *others.take(between)]):
        save(image, folder / "database" / f"r{number:04}.png")
    for number, image in enumerate(sources):
        kind = ("encoded", "cropped", "blurred", "strong")[number % 4]
        changed, quality = changed_copy(image, kind, rng)
        rows.append((f"q{number:04}_{kind}", f"r{number:04}"))
        save(changed, folder / "queries" / f"{rows[-1][0]}.jpg", quality=quality)
    for number, image in enumerate(others.take(copied)):
        rows.append((f"q{copied + number:04}_none", ""))
        save(image, folder / "queries" / f"{rows[-1][0]}.jpg", quality=90)
    for number, image in enumerate(others.take(distractors)):
        save(image, folder / "distractors" / f"d{number:04}.png")
    with (folder / "ground_truth.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("query", "reference"), *rows])


def changed_copy(image, kind, rng):
    """A changed image, and the quality that it is encoded with."""
    if kind in ("cropped", "strong"):
        image = part(image, 0.75, rng)
    if kind in ("blurred", "strong"):
        image = in_other_light(image.filter(ImageFilter.GaussianBlur(1)), rng)
    return image, 15 if kind in ("encoded", "strong") else 90


def make_video(folder, others, rng, videos=VIDEOS, frames=10, height=96):
    """Sequences in DAVIS' folders."""
    width = height * 4 // 3
    for name, background, objects in videos:
        behind = photograph(background, 2 * width)
        parts = [photograph(each, width) for each in objects]
        start = rng.uniform(0.2, 0.4, (len(parts), 2)) * (height, width)
        end = rng.uniform(0.6, 0.8, (len(parts), 2)) * (height, width)
        start[1::2, 0], end[1::2, 0] = end[1::2, 0], start[1::2, 0].copy()
        radii = rng.uniform(0.14, 0.2, (len(parts), 2)) * height
        for t in range(frames):
            share = t / max(1, frames - 1)
            frame = np.array(behind.crop((t, t, t + width, t + height)))
            mask = np.zeros((height, width), np.uint8)
            for label, image in enumerate(parts, start=1):
                center = start[label - 1] + share * (end[label - 1] - start[label - 1])
                paste_ellipse(frame, mask, label, image, center, radii[label - 1])
            save(Image.fromarray(frame), folder / f"JPEGImages/480p/{name}/{t:05}.jpg", quality=95)
            save(in_palette(mask), folder / f"Annotations/480p/{name}/{t:05}.png")
    (folder / "ImageSets/2017").mkdir(parents=True)
    names = "".join(f"{name}\n" for name, *_ in videos)
    (folder / "ImageSets/2017/val.txt").write_text(names)


def ellipse(shape, center, radii):
    """Booleans (H, W), an ellipse of (row, column) center and radii."""
    distances = [
        ((np.arange(size) - middle) / radius) ** 2
        for size, middle, radius in zip(shape, center, radii, strict=True)
    ]
    return distances[0][:, None] + distances[1] <= 1


def paste_ellipse(frame, mask, label, image, center, radii):
    """Puts the middle of a photograph into an ellipse of a frame, which moves with it."""
    inside = ellipse(mask.shape, center, radii)
    rows, columns = np.nonzero(inside)
    pixels = np.array(image)
    rows_in = np.round(rows - center[0] + pixels.shape[0] / 2).astype(int)
    columns_in = np.round(columns - center[1] + pixels.shape[1] / 2).astype(int)
    frame[inside], mask[inside] = pixels[rows_in, columns_in], label


def in_palette(mask):
    """A mask as an image with a palette."""
    image = Image.fromarray(mask)
    image.putpalette(PALETTE)
    return image


def make_dense(folder, others, rng, train=60, test=20, side=64, names=TEXTURES):
    """Scenes of textures, and their masks; a pixel beside another class isn't counted."""
    textures = [photograph(name, 4 * side) for name in names]
    halves = {
        "train": [image.crop((0, 0, image.width // 2, image.height)) for image in textures],
        "test": [
            image.crop((image.width // 2, 0, image.width, image.height)) for image in textures
        ],
    }
    for split, number in (("train", train), ("test", test)):
        for scene in range(number):
            pixels, mask = make_scene(halves[split], side, rng)
            save(Image.fromarray(pixels), folder / split / f"images/{scene:04}.jpg", quality=95)
            save(in_palette(mask), folder / split / f"masks/{scene:04}.png")
    names = "".join(f"{name.partition('.')[0]}\n" for name in names)
    (folder / "classes.txt").write_text(names)


def make_scene(textures, side, rng):
    """A scene of three of the textures: pixels (S, S, 3) and mask (S, S)."""
    chosen = rng.permutation(len(textures))[:3]
    cuts = [np.array(cut(textures[label], side, rng)) for label in chosen]
    pixels, mask = cuts[0], np.full((side, side), chosen[0], np.uint8)
    for label, texture in zip(chosen[1:], cuts[1:], strict=True):
        center, radii = rng.uniform(0.2, 0.8, 2) * side, rng.uniform(0.2, 0.4, 2) * side
        inside, around = (ellipse(mask.shape, center, radii + more) for more in (0, 1.5))
        mask[around] = 255
        pixels[inside], mask[inside] = texture[inside], label
    return pixels, mask


def cut(image, side, rng):
    """A random square of an image."""
    left = rng.integers(image.width - side + 1)
    top = rng.integers(image.height - side + 1)
    return image.crop((left, top, left + side, top + side))


FULL = {
    "retrieval": (make_retrieval, {}),
    "copies": (make_copies, {}),
    "video": (make_video, {}),
    "dense": (make_dense, {}),
}
SMALL = {
    "retrieval": (make_retrieval, {"names": PHOTOGRAPHS[:5:2], "between": 4, "side": 48}),
    "copies": (make_copies, {"copied": 4, "between": 2, "distractors": 8, "side": 16}),
    "video": (make_video, {"videos": VIDEOS[:1], "frames": 4, "height": 36}),
    "dense": (make_dense, {"train": 4, "test": 3, "side": 32}),
}

if __name__ == "__main__":
    main()
