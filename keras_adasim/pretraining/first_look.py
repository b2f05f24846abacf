"""The files of a run, looked at before its first step; what is bad is left out and named."""

import json
import time

import numpy as np
import tensorflow as tf

from keras_adasim import data
from keras_adasim.data.depth import check_value_range
from keras_adasim.data.listing import named_suffixes, printable, some_names
from keras_adasim.data.tar_source import in_archives
from keras_adasim.pretraining.run_folder import write_json

LISTED = 5  # Bad files that are named in the plan; all are in the run's folder.


class TooManyBadImagesError(ValueError):
    """More of a run's files are bad than it may leave out."""


class FirstLook:
    """Which files of a run are bad, before its first step and since.

    What was bad before the first step is left out of the training images by its key, also later,
    so that a run that goes on has the same images. What goes bad afterwards keeps its index, and
    others stand in for it.

    Args:
        folder: The `RunFolder`.
        earlier: Whether the run goes on.
        look: "auto", "full", "headers" as for `data.look_at`; or "no".
        max_bad: So many bad files are left out, whatever their share.
        max_bad_share: Share of the files up to which bad ones are left out.

    Attributes:
        left_out: Dict of keys of images that were bad before the first step, to what is wrong.
        gone_bad: Dict of keys of those that have gone bad since.
        num_files: Number of training images, with those that are left out.
    """

    def __init__(self, folder, earlier, look, max_bad, max_bad_share):
        self._folder, self._look = folder, look
        self._max_bad, self._max_bad_share = max_bad, max_bad_share
        known = read(folder.bad_images) if earlier else {}
        self._goes_on = bool(earlier)
        self.left_out = known.get("left_out", {})
        self.gone_bad = known.get("gone_bad", {})
        self.num_files = 0
        self._looks, self._lines, self._seconds, self._sources = {}, [], 0.0, []

    def training_images(self, source):
        """Looks at the training images.

        Args:
            source: `Source`.

        Returns:
            `WatchedSource` of those that are not left out; the source itself if its images are no
            files.

        Raises:
            TooManyBadImagesError: If more are bad than may be.
        """
        looks = self._looked("train", source)
        if looks is None and source.look(0, False) is None:
            return source
        bad = {} if looks is None else {source.keys[i]: why for i, why in looks.reasons.items()}
        unlisted = unlisted_files(source)
        self.num_files = len(source) + len(unlisted)
        if self._goes_on:
            self.gone_bad |= {key: why for key, why in bad.items() if key not in self.left_out}
        else:
            self.left_out = bad
        self._lines += self._told(source, looks, unlisted)
        self.check(len(unlisted))
        kept = np.ones(len(source), bool)
        kept[[index for index in source.keys.find(self.left_out) if index >= 0]] = False
        kept = np.flatnonzero(kept)
        if len(kept) < 2:
            raise ValueError(
                "Expected `data` with at least two images that can be read. Received: "
                f"{len(source)} files, of which {len(source) - len(kept)} are bad "
                f"({named(source, looks.reasons if looks else {})})"
            )
        fingerprints = source.fingerprints() if looks is None else looks.fingerprints
        watched = data.WatchedSource(source, kept, fingerprints[kept])
        places = watched.keys.find(self.gone_bad)
        reasons = self.gone_bad.values()
        watched.bad = {int(i): why for i, why in zip(places, reasons, strict=True) if i >= 0}
        return watched

    def test_images(self, source):
        """Looks at the test images; returns a source of those that are sound, or None."""
        looks = None if source is None else self._looked("test", source)
        if looks is None:
            return source
        if len(looks.bad):
            self._lines += [f"left out of the test images: {named(source, looks.reasons)}"]
        kept = np.setdiff1d(np.arange(len(source)), looks.bad)
        return data.WatchedSource(source, kept, looks.fingerprints[kept])

    def settle_range(self, train, test, value_range):
        """Settles which values of images with more than 8 bits become 0 and 255.

        Args:
            train: The training source.
            test: The test source, which gets the same range, or None.
            value_range: That of the run; `(0, 0)` is measured, if the look has found such images.

        Returns:
            The range, `(0, 0)` if none is needed.
        """
        if not any(value_range):
            deep = any(kind.bits > 8 for looks in self._looks.values() for kind in looks.kinds)
            if not deep or train.value_range is None:
                return value_range
            value_range = train.value_range
        value_range = check_value_range(value_range, train.channels)
        for source in (train, test):
            if source is not None:
                source.value_range = value_range
        ends = np.round(np.split(np.array(value_range), 2), 4).tolist()
        self._lines.append(f"values from {ends[0]} to {ends[1]} become 0 to 255")
        return value_range

    def lines(self):
        """What the plan says of the files."""
        return self._lines

    def check(self, more=0):
        """Raises TooManyBadImagesError if more files are bad than may be.

        Args:
            more: Number of bad files that have no key.
        """
        bad = {**self.left_out, **self.gone_bad}
        count = len(bad) + more
        if count > self._max_bad and count > self._max_bad_share * self.num_files:
            names = "; ".join(f"{printable(key)}: {bad[key]}" for key in list(bad)[:LISTED])
            raise TooManyBadImagesError(
                f"Expected at most `max_bad`={self._max_bad} bad files, or "
                f"`max_bad_share`={self._max_bad_share:g} of all. Received: {count} of "
                f"{self.num_files} files that can't be read ({names}). `keras-adasim check` lists "
                "all; replace or remove them, or allow more."
            )

    def teller(self, source, name):
        """A function that names images that have gone bad while the run reads them.

        Those of training images are remembered, and too many of them end the run.

        Args:
            source: `WatchedSource`.
            name: "bad_images" for the training images.

        Returns:
            Function of a dict of the new ones, from index to what is wrong, which raises
            TooManyBadImagesError; what was too much is not remembered.
        """

        def tell(new):
            say(f"{name.replace('_', ' ')}, which can't be read any more: {named(source, new)}")
            if name == "bad_images":
                self.gone_bad |= {source.keys[index]: why for index, why in new.items()}
                self.check()
                try:
                    self.write_bad()
                except OSError as error:
                    say(f"warning: {self._folder.bad_images} was not written: {error}")

        return tell

    def going_on(self, work, model, dataset):
        """Does something, and again if it failed because of images that turn out to be bad.

        Args:
            work: Function without arguments.
            model: The `SelfDistillation`.
            dataset: The `PairDataset`.

        Returns:
            What `work` returns.
        """
        while True:
            try:
                return work()
            except tf.errors.OpError:
                if not self._find_bad(model, dataset):
                    raise

    def _find_bad(self, model, dataset):
        """Whether images are bad that weren't known to be: those of the step, or any."""
        source = dataset.source
        if not isinstance(source, data.WatchedSource):
            return False
        epoch, step = divmod(int(model.optimizer.iterations.numpy()), len(dataset))
        if source.find_bad(np.concatenate(dataset.pairs(epoch, step))):
            return True
        say("an image could not be read; all are decoded once, to find it ...")
        looks = data.look_at(source, "full")
        new = {int(i): looks.reasons[i] for i in looks.bad if i not in source.bad}
        source.bad = {**source.bad, **new}
        return bool(new)

    def write(self):
        """Writes what was seen into the run's folder, which is there now.

        Raises:
            OSError: If it can't be written which files are bad. Without what else was seen the next
                start takes longer.
        """
        written = {self._file(name): looks.write for name, looks in self._looks.items()}
        for folder in (folder for source in self._sources for folder in folders_of(source)):
            if hasattr(folder, "keep_listing"):
                written[folder.listing_file(self._folder.looks)] = folder.keep_listing
        for file, write in written.items():
            try:
                write(file)
            except OSError as error:
                say(f"warning: {file} was not written: {error}")
        self.write_bad()

    def write_bad(self):
        """Writes which files are bad, if any is."""
        if self.left_out or self.gone_bad or self._folder.bad_images.exists():
            content = {"left_out": self.left_out, "gone_bad": self.gone_bad}
            write_json(self._folder.bad_images, content)

    def _looked(self, name, source):
        self._sources.append(source)
        if self._look == "no":
            return None
        earlier, start = data.Looks.read(self._file(name)), time.monotonic()
        looks = data.look_at(source, self._look, earlier, say=say)
        self._seconds += time.monotonic() - start
        if looks is not None:
            self._looks[name] = looks
        return looks

    def _file(self, name):
        return self._folder.looks / f"{name}.npz"

    def _told(self, source, looks, unlisted):
        if looks is None:
            return ["not looked at; one that can't be read is found when it is needed"]
        decoded = np.count_nonzero(looks.full)
        how = "all decoded" if decoded == len(looks) else f"{decoded} decoded, of the others"
        how += "" if decoded == len(looks) else " header and end"
        number = f"{len(looks)}{in_archives(*folders_of(source))}"
        lines = [f"{number} looked at, {how}: {len(looks.bad)} bad (in {self._seconds:.1f} s)"]
        if len(looks.bad):
            lines.append(f"bad ones are left out: {named(source, looks.reasons)}")
        if unlisted:
            lines.append(f"left out, as they can't be opened: {some_names(sorted(unlisted))}")
        others = other_files(source)
        return [*lines, f"left out by suffix: {named_suffixes(others)}"] if others else lines


def named(source, reasons):
    """The first bad images with what is wrong, and how many more there are."""
    names = [f"{source.describe(i)} ({why})" for i, why in list(reasons.items())[:LISTED]]
    rest = len(reasons) - len(names)
    return "; ".join(names) + (f"; and {rest} more" if rest else "")


def folders_of(source):
    """The folders that a source is made of."""
    parts = getattr(source, "sources", [source.source] if hasattr(source, "source") else [])
    if parts:
        return [folder for part in parts for folder in folders_of(part)]
    return [source] if hasattr(source, "left_out") else []


def unlisted_files(source):
    """Names of what is called like an image in a source's folders and is no file."""
    return [name for folder in folders_of(source) for name in folder.left_out]


def other_files(source):
    """Dict of the suffixes of other files in a source's folders to their number."""
    counts = {}
    for folder in folders_of(source):
        for suffix, number in folder.others.items():
            counts[suffix] = counts.get(suffix, 0) + number
    return counts


def say(line):
    """Prints a line at once."""
    print(line, flush=True)


def read(path):
    """The bad files that a run knows of."""
    try:
        content = json.loads(path.read_text())
        return {name: dict(content[name]) for name in ("left_out", "gone_bad")}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"Expected {path} to be the list of a run's bad files. Received: a damaged one. Choose "
            "another `out`, or start anew with `fresh`."
        ) from None
