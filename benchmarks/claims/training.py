"""One cell trained by `keras_adasim.pretrain`, and what is written down of it."""

import contextlib
import csv
import datetime
import functools
import gc
import os
import platform
import shutil
import time
from unittest import mock

import keras
import numpy as np

import keras_adasim as ka
from benchmarks.claims import network
from benchmarks.claims.cells import digest
from benchmarks.claims.purity import GatePurity
from keras_adasim.data.keys import checked_keys
from keras_adasim.finite import NotFiniteError
from keras_adasim.pretraining import page

# Columns of a run's log that a line keeps, at the epochs that are measured.
CURVES = ("knn_top1", "gate_open", "partner_is_self", "behind_gate", "nearest", "nearest_open")
CURVES += ("rank_me", "loss")
RESULTS = ("knn_raw_pixels", "knn_before", "knn_after", "knn_images", "gate_open")
RESULTS += ("partner_is_self", "images_per_second", "collapse")


def draw(source, number, seed):
    """So many images of a source, decoded; drawn by their keys."""
    chosen = np.sort(checked_keys(source).shuffled(seed)[:number])
    return ka.data.load_in_memory(ka.data.Subset(source, chosen))


class Images:
    """The images of a seed, kept until another seed is asked for.

    Args:
        folder: Folder with `train/` and `test/`, both by class.
        num_train: Training images of each seed, which the k-NN's votes are of.
        num_test: Test images of each seed.

    Raises:
        ValueError: If there are too few images, or no labels.
    """

    def __init__(self, folder, num_train, num_test):
        self.numbers = num_train, num_test
        self.sources = ka.data.open_splits(os.fspath(folder))
        for name, source, number in zip(("train", "test"), self.sources, self.numbers, strict=True):
            if source is None or len(source) < number:
                raise ValueError(
                    f"Expected `data_dir` with at least {number} images in {name}/. Received: "
                    f"data_dir={os.fspath(folder)} with {0 if source is None else len(source)}"
                )
            source.checked_labels()
        self.of_seed = functools.lru_cache(1)(self._of_seed)

    def _of_seed(self, seed):
        return [draw(*each, seed) for each in zip(self.sources, self.numbers, strict=True)]


def run_cell(cell, images, out, settings):
    """Trains a cell, or goes on with it; its run is removed afterwards.

    Args:
        cell: `Cell`.
        images: `Images`.
        out: Folder of the run.
        settings: Dict of settings for all cells: `of`, those of `pretrain`; `objectives`, those of
            one objective; `network`, sizes of the network.

    Returns:
        Dict for a line of the results.
    """
    begun, resumed = time.monotonic(), out.exists()
    used = time.process_time()
    train, test = images.of_seed(cell.seed)
    chosen = settings_of(cell, settings)
    backbone = network.build(cell.seed, **settings["network"])
    watch = GatePurity(train.labels, chosen["knn_every"])
    parts = {"backbone": backbone, "test_data": test, "callbacks": [watch]}
    line = {"cell": cell.to_dict(), "settings": digest(settings)}
    line["train_images"] = len(train)
    try:
        with without_export():
            result = ka.pretrain(train, out, **parts, **chosen)
        line |= {name: result.get(name) for name in RESULTS}
        line["curves"] = curves(out / "log.csv")
    except NotFiniteError as error:  # It is a result too.
        line["failed"] = str(error)
    line |= {
        "seconds": round(time.monotonic() - begun, 1),
        "processor_seconds": round(time.process_time() - used, 1),
        "resumed": resumed,
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {"keras_adasim": ka.__version__, "keras": keras.__version__},
    }
    keras.backend.clear_session()
    gc.collect()
    return line


def settings_of(cell, settings):
    """The keyword arguments of `pretrain` for a cell."""
    own = {"objective": cell.objective, "pairing": cell.pairing, "seed": cell.seed}
    own["epochs"] = cell.epochs
    if cell.pairing == "adasim":
        own |= {"sampling_temperature": cell.temperature, "window": cell.window}
    return {**settings["of"], **settings["objectives"].get(cell.objective, {}), **own}


@contextlib.contextmanager
def without_export():
    """Neither SavedModel nor page, which take longer than a short run and tell nothing here."""

    def no_export(model, path, *_, **__):
        path.mkdir(exist_ok=True)

    no_page = mock.patch.object(page, "write_at_end")
    with mock.patch.object(ka.export, "export_backbone", no_export), no_page:
        yield


def curves(log):
    """Columns of a log at the epochs measured: dict of `epoch`, from 1, and names to lists."""
    with log.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("knn_top1")]
    found = {"epoch": [int(row["epoch"]) + 1 for row in rows]}
    for name in CURVES:
        values = [float(row[name]) if row.get(name) else None for row in rows]
        if any(value is not None for value in values):
            found[name] = [None if value is None else round(value, 5) for value in values]
    return found


def remove(out):
    """Removes a run whose line is written."""
    shutil.rmtree(out, ignore_errors=True)


def machine():
    """Kind of processor, and its cores."""
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"
