"""What the commands share that judge a backbone on folders of their own layout."""

import functools
import os

from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import HELP
from keras_adasim.commands.counting import Counting
from keras_adasim.commands.network import load_network
from keras_adasim.commands.protocol import Protocol, check_same_channels, opened, wanting
from keras_adasim.data.keys import checked_keys
from keras_adasim.evaluation import embed_by_size
from keras_adasim.evaluation.feature_cache import feature_key
from keras_adasim.files import expand
from keras_adasim.validation import check_integer, renamed


def define(values, official, side):
    """Defines the flags that all of them have.

    Args:
        values: `flags.FlagValues`.
        official: DINO's size for a backbone that has learned from images of 224 pixels.
        side: Which side of an image it is.
    """
    size = (
        f"{side} in pixels that images are resized to, a multiple of the backbone's patch; 0 for "
        f"{official} / 224 of the size that it has learned from, as in DINO's evaluation."
    )
    for name, text in (
        ("backbone", HELP),
        ("data_dir", "Folder of the data, of the layout above."),
        ("out", "Folder for the results as JSON; by default they are printed alone."),
    ):
        flags.DEFINE_string(name, None, text, flag_values=values)
    flags.DEFINE_integer("image_size", 0, size, flag_values=values)
    flags.DEFINE_integer("batch_size", 16, "Images looked at a time.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of all draws.", flag_values=values)


class FolderProtocol(Protocol):
    """A `Protocol` whose backbone is a `Network`, and whose images need not be squares."""

    def size(self, official):
        """The size of `--image_size`, or the default in proportion to DINO's, checked."""
        size = self.settings["image_size"] or self.backbone.default_size(official)
        self.backbone.check_sides(size, size)
        self.settings["image_size"] = size
        return size

    def looked(self, source, what, sides_of, look, transform, boxes=None):
        """An array for every image of a source, from the cache or computed.

        Args:
            source: `Source`.
            what: What the images are, for the screen.
            sides_of: As for `embed_by_size`.
            look: Likewise.
            transform: Dict that tells these two functions from others.
            boxes: As for `embed_by_size`.
        """
        known = transform | {"boxes": None if boxes is None else [list(box) for box in boxes]}
        key = feature_key(self.backbone.fingerprint, source, known)
        compute = functools.partial(self._looked, source, what, sides_of, look, boxes)
        return self.cache.get(key, compute, len(source))

    def _looked(self, source, what, sides_of, look, boxes):
        self.backbone.prepare(source)
        with Counting(f"features of {what}", len(source)) as counting:

            def counted(images):
                array = look(images)
                counting.add(len(images))
                return array

            return embed_by_size(source, sides_of, counted, self.settings["batch_size"], boxes)


def open_folder_protocol(name, values, official):
    """Checks the shared flags and loads the backbone.

    Args:
        name: Name of the command.
        values: Parsed `flags.FlagValues`.
        official: As for `define`.

    Returns:
        Tuple of a `FolderProtocol` and the size of its images.
    """
    check_integer("batch_size", values.batch_size)
    check_integer("seed", values.seed, minimum=0)
    check_integer("image_size", values.image_size, minimum=0)
    folder_of(values.data_dir)
    protocol = opened(FolderProtocol, name, values, load_network)
    return protocol, protocol.size(official)


def folder_of(data_dir):
    """The folder of the data.

    Raises:
        FileNotFoundError: If there is none.
    """
    folder = expand(data_dir, "data_dir")
    if not folder.is_dir():
        raise FileNotFoundError(
            "Expected `data_dir` to be a folder; check the spelling. Received: "
            f"data_dir={folder}, {'a file' if folder.exists() else 'nothing of that name'}"
        )
    return folder


def part_of(folder, *names):
    """The first of some sub-folders that is there.

    Args:
        folder: A `pathlib.Path`.
        *names: Names of the sub-folders that it may be.

    Raises:
        FileNotFoundError: If none of them is.
    """
    found = [folder / name for name in names if (folder / name).is_dir()]
    if not found:
        raise FileNotFoundError(
            f"Expected a folder {'/ or '.join(names)}/ in `data_dir`; `--help` shows the layout. "
            f"Received: {folder} without"
        )
    return found[0]


def open_part(protocol, folder):
    """The images of a folder as a `Source`, of the channels that the backbone takes."""
    channels = protocol.backbone.channels
    with wanting(channels), renamed(path="data_dir"):
        source = data.open_folder(folder, channels)
    check_same_channels(source, channels)
    return source


def places_of(source, names, where):
    """Which images some names mean: paths below the folder, with or without their ending.

    Args:
        source: `Source` of a folder.
        names: List of strings; the last part of a path will do where it means one image alone.
        where: What has the names, for the error.

    Returns:
        List of indices.

    Raises:
        ValueError: If a name means no image, or several.
    """
    forms = [{} for _ in FORMS]
    for place, key in enumerate(checked_keys(source)):
        for known, form in zip(forms, FORMS, strict=True):
            known.setdefault(form(key), []).append(place)
    found = [next((known[name] for known in forms if name in known), []) for name in names]
    wrong = [name for name, places in zip(names, found, strict=True) if len(places) != 1]
    if wrong:
        several = any(wrong[0] in known for known in forms)
        raise ValueError(
            f"Expected every name in {where} to be that of one image in {source.path}, with or "
            f"without its ending. Received: {wrong[0]!r}, which "
            f"{'several images have' if several else 'no image has'}; {len(wrong)} of "
            f"{len(names)} are like that"
        )
    return [places[0] for places in found]


def without_ending(name):
    """A file's name without `.jpg`."""
    return os.path.splitext(name)[0]


def last_part(name):
    """A path's last part."""
    return name.rpartition("/")[2]


# What an image may be called, the first that fits.
FORMS = (str, without_ending, last_part, lambda key: last_part(without_ending(key)))


def shares_of_quick(lists, others, most, rng):
    """Draws images for `--quick`: two thirds, at most, of those that belong to a query.

    Args:
        lists: Integers, images that belong to one.
        others: Integers, the other images.
        most: How many are drawn at most.
        rng: NumPy's generator.

    Returns:
        Sorted array of integers.
    """
    first = rng.permutation(lists)[: max(2 * most // 3, most - len(others))]
    rest = rng.permutation(others)[: most - len(first)]
    return sorted({*first.tolist(), *rest.tolist()})
