"""What the commands share that judge a frozen backbone on labeled images."""

import contextlib
import dataclasses
import functools
import json
import os
import pathlib

import keras
import numpy as np
from absl import flags

from keras_adasim import data
from keras_adasim.commands.backbone import HELP, Embedder, load_embedder
from keras_adasim.commands.counting import Counting
from keras_adasim.commands.sound_images import LOOK_HELP, LOOKS, sound_images
from keras_adasim.data.keys import checked_keys
from keras_adasim.evaluation import FeatureCache, embed
from keras_adasim.evaluation.feature_cache import feature_key, images_fingerprint
from keras_adasim.evaluation.splits import stratified_split
from keras_adasim.files import expand, write_file
from keras_adasim.validation import check_integer, renamed

# Images of each set with --quick, and the share that is held out where there is no test set.
QUICK = 1000
HELD_OUT = 0.2
IMAGES = """
The folder of the data holds train/ and test/ (or val/), each with one sub-folder per class, or the
classes themselves. The central square is taken of an image whose shorter side is 256 / 224 of it,
as in DINO's evaluation; images that have the backbone's size already are taken as they are.
Features are kept beside the backbone, in `features/`, and found there by the next protocol. Files
that can't be read are left out, named and counted; --look=no leaves them to be an error.
"""


def define(values, several=False, batch_size=256, batch_help="Images looked at a time."):
    """Defines the flags that all of them have.

    Args:
        values: `flags.FlagValues`.
        several: Whether more than one set of images may be named.
        batch_size: Default of that flag; None for one that is chosen.
        batch_help: Its help.
    """
    sets = flags.DEFINE_multi_string if several else flags.DEFINE_string
    flags.DEFINE_string("backbone", None, HELP, flag_values=values)
    sets("data_dir", None, "Folder of labeled images.", flag_values=values)
    sets("tfds", None, "TensorFlow Datasets' name, instead of a folder.", flag_values=values)
    for name, text in (
        ("tfds_dir", "Where TensorFlow Datasets has prepared it."),
        ("train_split", "Folder of the training images, train by default."),
        ("test_split", "Folder of those that are classified; test, else val."),
        ("out", "Folder for the results as JSON; by default they are printed alone."),
    ):
        flags.DEFINE_string(name, None, text, flag_values=values)
    flags.DEFINE_integer("batch_size", batch_size, batch_help, flag_values=values)
    text = "Use so many images of each set, drawn once; 0 for all."
    flags.DEFINE_integer("limit", 0, text, flag_values=values)
    text = f"A first answer: {QUICK} images of each set at most."
    flags.DEFINE_bool("quick", False, text, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of all draws.", flag_values=values)
    flags.DEFINE_enum("look", "auto", LOOKS, LOOK_HELP, flag_values=values)


class Part(data.Subset):
    """A part of a set whose features are computed, and kept, as a whole."""


@dataclasses.dataclass
class Protocol:
    """A backbone, and where its features and results lie.

    Attributes:
        name: Name of the command, and of its JSON file.
        backbone: `Embedder`.
        cache: `FeatureCache`; None where no features are kept.
        out: Folder of the results, or None.
        settings: Dict of the flags.
        left_out: Dict of the keys of files that can't be read to what is wrong.
    """

    name: str
    backbone: Embedder
    cache: FeatureCache
    out: pathlib.Path | None
    settings: dict
    left_out: dict = dataclasses.field(default_factory=dict)

    def features(self, source, what, indices=None, look=None, took="features"):
        """Features of all images of a source, or of some, from the cache or computed.

        Args:
            source: `Source`.
            what: What the images are, for the screen.
            indices: Integers; only these are computed, unless all are in the cache. None for all.
            look: Function from images to an array that is computed instead of the features.
            took: Name of what it gives.
        """
        if isinstance(source, Part):
            own = source.indices if indices is None else source.indices[indices]
            if indices is not None:
                return self.features(source.source, what, own, look, took)
            return self.features(source.source, what, None, look, took)[own]
        transform = {"center_crop": True, "image_size": self.backbone.image_size, "took": took}
        key = feature_key(self.backbone.fingerprint, source, transform)
        if indices is not None and not self.cache.has(key):
            return self.features(data.Subset(source, indices), what, None, look, took)
        compute = functools.partial(self._compute, source, what, look or self.backbone.embed)
        features = self.cache.get(key, compute, len(source))
        return features if indices is None else features[indices]

    def _compute(self, source, what, look):
        self.backbone.prepare(source)
        with Counting(f"features of {what}", len(source)) as counting:

            def counted(images):
                features = np.asarray(look(images))
                counting.add(len(features))
                return features

            batch_size, size = self.settings["batch_size"], self.backbone.image_size
            return embed(source, counted, batch_size, size, center_crop=True)

    def save(self, results, images):
        """Writes the results, the settings and what was judged to `NAME.json`.

        Args:
            results: What JSON can hold.
            images: Dict of names to the sources.
        """
        if self.out is None:
            return
        facts = {
            "protocol": self.name,
            "backbone": {
                "name": self.settings["backbone"],
                "fingerprint": self.backbone.fingerprint,
                "image_size": self.backbone.image_size,
            },
            "images": {name: told(source) for name, source in images.items()},
            "left_out": self.left_out,
            "settings": self.settings,
            "results": results,
        }
        path = self.out / f"{self.name}.json"
        write_file(path, json.dumps(facts, indent=1, allow_nan=False) + "\n")
        print(f"written: {path}")


def told(source):
    """What a result says of its images."""
    labels = source.labels
    classes = {} if labels is None else {"classes": len(np.unique(labels))}
    return {"number": len(source), **classes, "fingerprint": images_fingerprint(source)}


def open_protocol(name, values, integers=(), several=False):
    """Checks the shared flags and loads the backbone.

    Args:
        name: Name of the command.
        values: Parsed `flags.FlagValues`.
        integers: Further flags that have to be positive.
        several: Whether more than one set of images may be named, of both kinds.

    Returns:
        A `Protocol`.
    """
    check_shared(values, integers, several)
    return opened(Protocol, name, values, load_embedder)


def check_shared(values, integers=(), several=False):
    """Checks the shared flags.

    Args:
        values: Parsed `flags.FlagValues`.
        integers: Further flags that have to be positive, where they are given.
        several: Whether more than one set of images may be named, of both kinds.

    Returns:
        The folder of the results, or None.
    """
    check_integer("limit", values.limit, minimum=0)
    check_integer("seed", values.seed, minimum=0)
    for flag in ("batch_size", *integers):
        if values[flag].value is not None:
            check_integer(flag, values[flag].value)
    if not (values.data_dir or values.tfds) or (values.data_dir and values.tfds and not several):
        raise ValueError(
            "Expected either `data_dir` or `tfds`. Received: "
            f"data_dir={values.data_dir}, tfds={values.tfds}"
        )
    return _folder_of_results(values)


def opened(kind, name, values, load):
    """Loads the backbone of checked flags.

    Args:
        kind: `Protocol`, or a subclass.
        name: Name of the command.
        values: Parsed `flags.FlagValues`.
        load: Function from what `--backbone` names to the backbone.
    """
    out = _folder_of_results(values)
    keras.utils.set_random_seed(values.seed)  # Of a network without weights of its own.
    backbone = load(values.backbone)
    cache = FeatureCache(_cache_folder(backbone, out), say=print)
    return kind(name, backbone, cache, out, settings_of(values))


def settings_of(values):
    """Dict of the flags that are a setting."""
    return {flag: values[flag].value for flag in values if not flag.startswith("help")}


def _folder_of_results(values):
    return None if values.out is None else _writable(expand(values.out, "out"))


def _writable(out):
    """The folder of the results, which need not exist."""
    above = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise OSError(
            f"Expected `out` to be a folder that can be written. Received: out={out}, below {above}"
        )
    return out


def _cache_folder(backbone, out):
    """Where features are kept, which is said if it isn't beside the backbone."""
    if backbone.folder is not None and os.access(backbone.folder, os.W_OK):
        return backbone.folder / "features"
    why = "no folder of its own" if backbone.folder is None else "a folder that can't be written"
    where = f"in {out / 'features'}" if out is not None else "nowhere; --out would keep them"
    print(f"the backbone has {why}: features are kept {where}", flush=True)
    return None if out is None else out / "features"


def open_images(protocol, data_dir=None, tfds=None):
    """Opens labeled images as training and test set; the latter is None where there is none.

    Args:
        protocol: `Protocol`.
        data_dir: The folder; by default that of the flags.
        tfds: TensorFlow Datasets' name.

    Raises:
        ValueError: If there are no labels, or those of one class alone, or the channels are others
            than the backbone's.
    """
    flags = protocol.settings
    splits = {name: flags[name] or "" for name in ("train_split", "test_split")}
    if data_dir is None and tfds is None:
        data_dir, tfds = flags["data_dir"], flags["tfds"]
    if tfds:
        train, test = data.tfds_splits(tfds, flags["tfds_dir"], **splits)
    else:
        with wanting(protocol.backbone.channels), renamed(path="data_dir"):
            train, test = data.open_splits(data_dir, protocol.backbone.channels, **splits)
    sources = [source for source in (train, test) if source is not None]
    for source in sources:
        source.checked_labels()
        check_same_channels(source, protocol.backbone.channels)
    cache = None if protocol.cache is None else protocol.cache.folder
    kept = None if cache is None else cache / "looks"
    for place, what in enumerate(("training images", "test images")[: len(sources)]):
        sources[place], bad = sound_images(sources[place], what, flags["look"], kept)
        protocol.left_out.update(bad)
    limit = min([n for n in (flags["limit"], flags["quick"] * QUICK) if n], default=None)
    sources = [_drawn(source, limit, flags["seed"]) for source in sources]
    if len(np.unique(sources[0].labels)) < 2:
        raise ValueError(
            "Expected images of two classes or more, one sub-folder each, to tell apart. Received: "
            f"images of one class in {data_dir or tfds}"
        )
    return sources[0], sources[1] if len(sources) > 1 else None


def _drawn(source, limit, seed):
    """At most so many images of a source; which, their keys decide."""
    if limit is None or limit >= len(source):
        return source
    return data.Subset(source, np.sort(checked_keys(source).shuffled(seed)[:limit]))


def with_test(train, test, seed):
    """Holds a fifth of every class out where there is no test set, and says so."""
    if test is not None:
        return train, test
    kept, held_out = stratified_split(train.labels, HELD_OUT, seed)
    if not len(held_out):
        raise ValueError(
            "Expected test images, in a folder test/ or val/, or classes of two images or more, of "
            "which a part is held out. Received: `data_dir` of one image per class"
        )
    print(f"no test images: {len(held_out)} of {len(train)} images are held out, by seed {seed}")
    return Part(train, kept), Part(train, held_out)


def check_same_channels(source, channels):
    """Raises ValueError unless a source has the channels that the backbone takes."""
    if source.channels != channels:
        raise ValueError(
            f"Expected images of {channels} channels, as the backbone has learned from. Received: "
            f"{source.channels} channels of {source.describe(0)}"
        )


@contextlib.contextmanager
def wanting(channels):
    """Errors of opening images say which channels the backbone wants.

    Args:
        channels: Channels that the images are opened with.
    """
    wanted = f"The backbone takes images of {channels} channels"
    try:
        yield
    except FileNotFoundError as error:
        if channels not in (1, 3):
            error.add_note(f"{wanted}, which only .npy files have.")
        raise
    except ValueError as error:
        if "`channels`" not in str(error):
            raise
        found = str(error).partition("Received")[0].rstrip(". ")
        raise ValueError(f"{wanted}. {found}. Received: `data_dir` of other images") from error
