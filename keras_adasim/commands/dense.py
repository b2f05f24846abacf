"""`keras-adasim dense`: semantic segmentation by the nearest labeled patches."""

import numpy as np
from absl import flags
from PIL import Image

from keras_adasim import data
from keras_adasim.commands.counting import Counting
from keras_adasim.commands.folder_protocol import (
    define,
    folder_of,
    open_folder_protocol,
    open_part,
    part_of,
    without_ending,
)
from keras_adasim.commands.running import run
from keras_adasim.commands.table import percent, table
from keras_adasim.data.keys import checked_keys
from keras_adasim.data.masks import read_mask, size_of
from keras_adasim.evaluation.dense import IGNORE, patch_retrieval
from keras_adasim.pretraining.results import finite
from keras_adasim.validation import check_integer, check_number

DESCRIPTION = """
Semantic segmentation by the nearest neighbors of patches, without training (the "hummingbird"
protocol):

    keras-adasim dense --backbone=runs/photos --data_dir=voc

The patches of the training images are remembered with the classes of their pixels. A patch of a
test image takes the mean of the labels of its --topk nearest ones. The folder of the data holds

    train/images/NAME.jpg   images
    train/masks/NAME.png    a mask for each, of its size: PNGs with a palette, or gray, whose values
                            are classes from 0 on, as in Pascal VOC; 255 counts nowhere
    test/ (or val/)         likewise
    classes.txt             names of the classes, one a line; need not be there

Images and masks are resized to squares, as a whole; the mean intersection over union of the classes
is that of these squares' pixels. Features are kept beside the backbone, in `features/`.
"""
# Of the protocol's images, for a backbone that has learned from 224 pixels.
OFFICIAL_SIZE = 512
MEMORY = 1_000_000
QUICK_IMAGES, QUICK_MEMORY = 100, 30_000


def main(argv=None, program="dense"):
    """Reads the flags and evaluates."""
    run(program, DESCRIPTION, define_flags, start, argv, required=("backbone", "data_dir"))


def define_flags(values):
    """Defines the flags."""
    define(values, OFFICIAL_SIZE, "Side")
    for name, default, text in (
        ("topk", 30, "Number of nearest patches that count."),
        ("memory_size", MEMORY, "Remember at most so many patches, drawn once; 0 for all."),
        ("num_classes", 0, "Number of classes; 0 for those up to the largest label."),
    ):
        flags.DEFINE_integer(name, default, text, flag_values=values)
    text = "The smaller, the more the nearest patch counts."
    flags.DEFINE_float("temperature", 0.02, text, flag_values=values)
    text = (
        f"A first answer: {QUICK_IMAGES} training and test images, drawn once, and "
        f"{QUICK_MEMORY} patches at most."
    )
    flags.DEFINE_bool("quick", False, text, flag_values=values)


def start(values):
    """Evaluates with parsed flags."""
    check_integer("topk", values.topk)
    check_integer("memory_size", values.memory_size, minimum=0)
    check_integer("num_classes", values.num_classes, minimum=0)
    check_number("temperature", values.temperature, above=0)
    folder = folder_of(values.data_dir)
    folders = {"train": part_of(folder, "train"), "test": part_of(folder, "test", "val")}
    protocol, size = open_folder_protocol("dense", values, OFFICIAL_SIZE)
    protocol.backbone.check_tokens()
    limit = QUICK_IMAGES if values.quick else None
    sets = {name: LabeledPatches(protocol, path, size, limit) for name, path in folders.items()}
    names = class_names(folder, sets, values.num_classes)
    memory = min([n for n in (values.memory_size, values.quick * QUICK_MEMORY) if n], default=None)
    check_topk(values.topk, sets["train"].remembered(memory))
    evaluate(protocol, sets, names, memory)


class LabeledPatches:
    """Images and their masks, resized to squares.

    Args:
        protocol: `FolderProtocol`.
        folder: Folder of images/ and masks/.
        size: Side of the squares in pixels.
        limit: How many images are drawn; None for all.

    Attributes:
        source: `Source` of N images.
        masks: (N, size, size) uint8 array.

    Raises:
        FileNotFoundError: If there are no images or masks.
        ValueError: If they don't fit each other.
    """

    def __init__(self, protocol, folder, size, limit):
        self.protocol, self.size = protocol, size
        self.source = open_part(protocol, part_of(folder, "images"))
        paths = masks_of(self.source, part_of(folder, "masks"))
        if limit is not None and limit < len(paths):
            seed = protocol.settings["seed"]
            chosen = np.sort(checked_keys(self.source).shuffled(seed)[:limit])
            self.source = data.Subset(self.source, chosen)
            paths = [paths[place] for place in chosen]
        squares = (Image.fromarray(read_mask(path)) for path in paths)
        self.masks = np.stack(
            [np.asarray(each.resize((size, size), Image.Resampling.NEAREST)) for each in squares]
        )
        self.labels = np.setdiff1d(self.masks, IGNORE)
        if not len(self.labels):
            raise ValueError(
                f"Expected masks with a class. Received: {folder / 'masks'}, all pixels {IGNORE}"
            )

    def features(self, name):
        """(N, h, w, D) features of the patches."""
        return self.protocol.looked(
            self.source,
            f"the {name} images",
            lambda height, width: (self.size, self.size),
            lambda images: self.protocol.backbone.look(images)["tokens"],
            {"square": self.size, "took": "tokens"},
        )

    def remembered(self, most=None):
        """How many patches have a class, at most so many."""
        patch = self.protocol.backbone.patch_side
        grid = self.size // patch
        parts = self.masks.reshape(len(self.masks), grid, patch, grid, patch)
        labeled = int((parts != IGNORE).any(axis=(2, 4)).sum())
        return min(labeled, most or labeled)


def masks_of(source, folder):
    """The mask of every image.

    Args:
        source: `ImageFolder`.
        folder: Folder of the masks, each called like its image.

    Returns:
        List of paths.

    Raises:
        ValueError: If an image has none, one has no image, or they are of different sizes.
    """
    keys = [without_ending(key) for key in checked_keys(source)]
    there = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in folder.rglob("*")
        if path.suffix.lower() == ".png" and not path.name.startswith(".")
    }
    alone = sorted(set(keys) ^ set(there))
    if alone:
        raise ValueError(
            f"Expected a mask NAME.png for each image, and no others. Received: {len(keys)} images "
            f"in {source.path} and {len(there)} masks in {folder}; {alone[0]} is one without the "
            f"other, {len(alone)} in all"
        )
    paths = [there[key] for key in keys]
    for place, path in enumerate(paths):
        image = source.path / source.paths[place]
        if size_of(image) != size_of(path):
            sizes = [" x ".join(map(str, size_of(each))) for each in (path, image)]
            raise ValueError(
                f"Expected a mask to be of its image's size. Received: {path} of {sizes[0]} "
                f"pixels for {image} of {sizes[1]}"
            )
    return paths


def class_names(folder, sets, num_classes):
    """Names of the classes, by classes.txt or their numbers.

    Args:
        folder: Folder of the data.
        sets: Dict of `LabeledPatches`.
        num_classes: How many; 0 for those up to the largest label.

    Raises:
        ValueError: If there is one class alone, or a label that is none of them.
    """
    labels = np.union1d(*(each.labels for each in sets.values()))
    if len(labels) < 2 or len(sets["train"].labels) < 2:
        raise ValueError(
            "Expected training masks of two classes or more. Received: one class alone, label "
            f"{sets['train'].labels[0]}"
        )
    if num_classes and not labels[-1] < num_classes <= IGNORE:
        raise ValueError(
            f"Expected `num_classes` above the largest label, {labels[-1]}, and at most {IGNORE}. "
            f"Received: num_classes={num_classes}"
        )
    number = num_classes or int(labels[-1]) + 1
    path = folder / "classes.txt"
    names = path.read_text().splitlines() if path.is_file() else list(map(str, range(number)))
    if len(names) < number:
        raise ValueError(
            f"Expected {path} to have a name for each of {number} classes. Received: {len(names)}"
        )
    return names[:number]


def check_topk(topk, remembered):
    """Raises ValueError, before minutes of work, for more neighbors than are remembered."""
    if topk > remembered:
        raise ValueError(
            f"Expected `topk` to be at most {remembered}, the number of patches that are "
            f"remembered. Received: topk={topk}"
        )


def evaluate(protocol, sets, names, memory):
    """Segments the test images, and prints a line for each class and one for their mean.

    Args:
        protocol: `FolderProtocol`.
        sets: Dict of `"train"` and `"test"` to `LabeledPatches`.
        names: List of the classes' names.
        memory: Patches that are remembered at most, or None.

    Returns:
        Dict of what came out.
    """
    flags, train, test = protocol.settings, sets["train"], sets["test"]
    parts = train.features("training"), train.masks, test.features("test"), test.masks
    print(f"{len(train.masks)} training images, {len(test.masks)} test images", flush=True)
    print(
        f"{train.remembered(memory)} of {train.remembered()} labeled patches are remembered",
        flush=True,
    )
    with Counting("segmented", len(test.masks)) as counting:
        settings = {name: flags[name] for name in ("topk", "temperature", "seed")}
        mean, per_class = patch_retrieval(
            *parts, len(names), memory_size=memory, tell=counting.add, **settings
        )
    rows = [
        (name, "-" if np.isnan(each) else percent(each))
        for name, each in zip(names, per_class, strict=True)
    ]
    print(*table(("class", "IoU %"), [*rows, ("mean", percent(mean))]), sep="\n", flush=True)
    classes = [
        {"label": label, "name": name, "iou": finite(float(each))}
        for label, (name, each) in enumerate(zip(names, per_class, strict=True))
    ]
    results = {"miou": mean, "classes": classes}
    protocol.save(results, {name: each.source for name, each in sets.items()})
    return results
