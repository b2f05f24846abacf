"""What the page is told of a run: plain data, whatever it was read from."""

import dataclasses

import numpy as np

from keras_adasim.evaluation.bootstrapping import ClassPurity
from keras_adasim.evaluation.gallery import Neighbors


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Images with their neighbors, as the page shows them.

    Attributes:
        neighbors: `Neighbors` of the images.
        why: List of n strings, why each was chosen.
        names: Dict of every image that comes up to its name.
        pictures: Dict of the same to a picture, a data URI; empty without the images' files.
        classes: Dict of the same to the name of its class; empty without labels.
        epochs: Last epoch (from 1) of the history; 0 without one.
    """

    neighbors: Neighbors
    why: list
    names: dict
    pictures: dict = dataclasses.field(default_factory=dict)
    classes: dict = dataclasses.field(default_factory=dict)
    epochs: int = 0


@dataclasses.dataclass(frozen=True)
class Attention:
    """Where a Vision Transformer looks.

    Attributes:
        pictures: List of n data URIs.
        names: List of n names.
        maps: (n, heads, rows, columns) float array, the class token's attention to the patches.
    """

    pictures: list
    names: list
    maps: np.ndarray


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """Features in the plane.

    Attributes:
        points: (n, 2) float array.
        how: What put them there, in words.
        names: List of n names.
        labels: (n,) ints, classes by number, or None.
        class_names: List of strings, or None.
        sheet: Data URI of all pictures in rows, or None.
        columns: Pictures in a row.
        side: Side of a picture, in pixels.
    """

    points: np.ndarray
    how: str
    names: list
    labels: np.ndarray | None = None
    class_names: list | None = None
    sheet: str | None = None
    columns: int = 1
    side: int = 1


@dataclasses.dataclass(frozen=True)
class Findings:
    """What the doctor has found.

    Attributes:
        folder: Where its tables are.
        facts: Dict of `train` and `test`, numbers of images, and `quick`.
        found: Dict of the tables' names to their numbers of rows.
        tables: Dict of the names to the head and the first rows.
    """

    folder: str
    facts: dict
    found: dict
    tables: dict


@dataclasses.dataclass
class Run:
    """A run, finished or not.

    Attributes:
        name: Name of its folder.
        path: The folder.
        settings: Dict of its settings.
        finished_epochs: Epochs that the newest checkpoint has behind it.
        given: Names of the settings that were given.
        reasons: Dict of those that were chosen to the rule of the choice.
        log: List of an epoch's dict of numbers each, with `epoch` from 0.
        start: Dict of what was measured before the first step: `knn_before`, `knn_raw_pixels`,
            `before`.
        result: Dict of what came out, or None before the end.
        plan: Dict of what was planned: `memory`, `parameters`, `steps`, `knn_images`, `devices`.
        images: Number of training images.
        files: List of (what, number) of the files that were looked at.
        bad: Dict of names of bad images to what is wrong.
        purity: `ClassPurity`, or None without labels.
        class_names: Names of the classes of `purity`.
        gallery: `Gallery`, or None.
        attention: `Attention`, or None.
        feature_map: `FeatureMap`, or None.
        findings: `Findings` of the doctor, or None.
        missing: Dict of sections that are left out to the reason.
    """

    name: str
    path: str
    settings: dict
    finished_epochs: int = 0
    given: list = dataclasses.field(default_factory=list)
    reasons: dict = dataclasses.field(default_factory=dict)
    log: list = dataclasses.field(default_factory=list)
    start: dict = dataclasses.field(default_factory=dict)
    result: dict | None = None
    plan: dict = dataclasses.field(default_factory=dict)
    images: int = 0
    files: list = dataclasses.field(default_factory=list)
    bad: dict = dataclasses.field(default_factory=dict)
    purity: ClassPurity | None = None
    class_names: list = dataclasses.field(default_factory=list)
    gallery: Gallery | None = None
    attention: Attention | None = None
    feature_map: FeatureMap | None = None
    findings: Findings | None = None
    missing: dict = dataclasses.field(default_factory=dict)

    @property
    def epochs(self):
        """Epochs that the run is to have."""
        return int(self.settings.get("epochs", 0))

    @property
    def is_finished(self):
        """Whether there is a result of all epochs, and not one of a run that has gone on since."""
        if self.result is None or self.finished_epochs < self.epochs:
            return False
        return self.result.get("epochs") == self.finished_epochs

    def column(self, name):
        """Values of one measure, epoch by epoch; NaN where it wasn't measured."""
        return np.array([row.get(name, np.nan) for row in self.log], float)

    def now(self, name):
        """The last value of a measure, or None: of the result, or of the log."""
        if self.is_finished and self.result.get(name) is not None:
            return self.result[name]
        values = self.column(name)
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else None

    def before(self, name):
        """A measure of the features before the first step, or None."""
        return (self.start.get("before") or {}).get(name)

    @property
    def knn(self):
        """Dict of `trained`, `untrained` and `raw pixels` to accuracies; empty without labels."""
        trained = self.now("knn_after") if self.is_finished else None
        trained = self.now("knn_top1") if trained is None else trained
        found = {
            "trained": trained,
            "untrained": self.start.get("knn_before"),
            "raw pixels": self.start.get("knn_raw_pixels"),
        }
        known = trained is not None and found["untrained"] is not None
        return {name: value for name, value in found.items() if value is not None} if known else {}

    @property
    def knn_images(self):
        """Images that the accuracies are of, or None."""
        return (self.result or {}).get("knn_images") or self.plan.get("knn_images")


def standard_error(share, count):
    """Standard error of a share of so many images; NaN if their number isn't known."""
    return float(np.sqrt(share * (1 - share) / count)) if count else float("nan")
