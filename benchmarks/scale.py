"""What bank, window, vote and checkpoint cost at 10,000 to 10 million images, without a network.

    python -m benchmarks.scale --images=10000,100000,1000000,10000000
    python -m benchmarks.scale --images=10000000 --row_dtype=float16

The real bank, pairing, callbacks and checkpoints run on synthetic features and records; of a step
only the look-up and the write do, on a few batches. Each size is a process of its own, whose
memory is watched: *memory* is what belongs to it alone, *mapped* what the kernel takes back
whenever somebody else needs it. *pause* is what holds the next epoch up: records are pushed,
statistics made, a checkpoint handed over; *first batch* is the wait for its first partners. The
checkpoint is then *finished* in the background. *planned* is what the plan of a run says of memory,
beside the programs themselves, and of the pause. `--plot` draws costs per image over N, R, k and W.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from keras_adasim import (
    SelfDistillation,
    augment,
    backbones,
    callbacks,
    layers,
    objectives,
    optimizers,
    pairing,
)
from keras_adasim.pretraining import building
from keras_adasim.pretraining.choosing import bank_dtype
from keras_adasim.pretraining.needs import Needs
from keras_adasim.reporting.charts import line_chart
from keras_adasim.reporting.document import document
from keras_adasim.reporting.markup import tag

SIZES = ["10000", "100000", "1000000"]
IMAGES = flags.DEFINE_list("images", SIZES, "Numbers of images N.")
DIM = flags.DEFINE_integer("dim", 384, "Size of a feature.")
WINDOW = flags.DEFINE_integer("window", 10, "Epochs W that vote.")
TOPK = flags.DEFINE_integer("topk", 10, "Neighbors k in a record.")
REPLICAS = flags.DEFINE_integer(
    "replicas", 1, "Logical devices; the bank is sharded among several."
)
ROW_DTYPE = flags.DEFINE_enum("row_dtype", "auto", ["auto", "float32", "float16"], "Of the bank.")
IN_MEMORY = flags.DEFINE_enum("window_in_memory", "auto", ["auto", "yes", "no"], "The window.")
BATCH = flags.DEFINE_integer("batch_size", 256, "Images of a batch.")
STEPS = flags.DEFINE_integer("steps", 3, "Batches that are looked up and written.")
FOLDER = flags.DEFINE_string("folder", None, "Where files go and are removed; /tmp by default.")
PLOT = flags.DEFINE_string("plot", None, "HTML file for plots; measures k, W and R too.")

CHUNK = 2**16
COLUMNS = {
    "images": ("images", "{:,}"),
    "rows": ("rows", "{}"),
    "window": ("window", "{}"),
    "memory": ("memory GB", "{:.2f}"),
    "planned_memory": ("planned", "{:.2f}"),
    "mapped": ("mapped GB", "{:.2f}"),
    "look_up": ("look-up ms / image", "{:.3f}"),
    "vote": ("vote µs / image", "{:.1f}"),
    "push": ("push s", "{:.2f}"),
    "statistics": ("statistics s", "{:.2f}"),
    "hand_over": ("hand-over s", "{:.2f}"),
    "pause": ("pause s", "{:.2f}"),
    "planned_pause": ("planned", "{:.2f}"),
    "first_batch": ("first batch s", "{:.3f}"),
    "finished": ("finished after s", "{:.1f}"),
    "checkpoint": ("checkpoint GB", "{:.2f}"),
}


class Memory:
    """Watches the memory of this process, in bytes."""

    def __init__(self):
        self.own = self.mapped = 0
        self._stop = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while not self._stop.wait(0.05):
            own, mapped = own_memory()
            self.own, self.mapped = max(self.own, own), max(self.mapped, mapped)


def own_memory():
    """Bytes that belong to this process alone, and those that the kernel takes back."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    facts = dict(line.split(":", 1) for line in lines)
    return [1024 * int(facts[name].split()[0]) for name in ("RssAnon", "RssFile")]


def measure(num_images):
    """Runs one size; returns a dict of what it cost."""
    memory, rng = Memory(), np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=FOLDER.value) as folder:
        folder = pathlib.Path(folder)
        programs = own_memory()[0]
        model = build(num_images, folder)
        needs = Needs.of(model)
        fill(model.bank, rng)
        look_up = seconds_of_look_up(model, rng) / BATCH.value
        backup = callbacks.Backup(folder / "checkpoints")
        watchers = [callbacks.PushNeighbors(), callbacks.Measures(), backup]
        epochs = WINDOW.value + 2
        container = keras.callbacks.CallbackList(watchers, model=model, epochs=epochs)
        container.on_train_begin()
        for epoch in range(epochs):  # Two checkpoints: the first claims memory for its files.
            is_full = epoch >= WINDOW.value
            backup.wait()
            seconds = epoch_end(model, watchers[: 3 if is_full else 1], epoch, rng)
        start = time.perf_counter()
        first = rng.permutation(num_images)[: BATCH.value]
        model.pairing.partners(first)
        seconds["first_batch"] = time.perf_counter() - start
        sample = np.arange(min(num_images, 20_000))
        start = time.perf_counter()
        model.pairing.distribution(sample)
        vote = (time.perf_counter() - start) / len(sample)
        start = time.perf_counter()
        backup.wait()
        finished = time.perf_counter() - start
        size = sum(f.stat().st_size for f in (folder / "checkpoints").glob("*/*.np*"))
    in_memory = model.pairing.directory is None
    return {
        "images": num_images,
        "rows": model.bank.row_dtype,
        "window": f"{WINDOW.value} in {'memory' if in_memory else 'files'}",
        "memory": memory.own / 1e9,
        "planned_memory": (programs + needs.host) / 1e9,
        "planned_pause": needs.pause,
        "mapped": memory.mapped / 1e9,
        "look_up": 1e3 * look_up,
        "vote": 1e6 * vote,
        **seconds,
        "finished": finished,
        "checkpoint": size / 1e9,
        "topk": TOPK.value,
        "replicas": REPLICAS.value,
        "epochs": WINDOW.value,
    }


def build(num_images, folder):
    """A model with nearly no network, and the bank and window of a real one."""
    backbone = backbones.VisionTransformer(8, 4, embed_dim=DIM.value, depth=1, num_heads=2)
    dtype = bank_dtype(num_images) if ROW_DTYPE.value == "auto" else ROW_DTYPE.value
    sizes = num_images, WINDOW.value, TOPK.value
    in_memory = building.keeps_in_memory(IN_MEMORY.value, *sizes)
    partners = pairing.AdaptiveWindow(*sizes, directory=None if in_memory else folder / "window")
    model = SelfDistillation(
        backbone,
        objectives.DINO(out_dim=16, hidden_dim=16, bottleneck_dim=8),
        partners,
        layers.NeighborBank(num_images, DIM.value, TOPK.value, dtype, REPLICAS.value > 1),
        augment=augment.DINOAugment(augment.MultiCrop(8)),
    )
    model.compile(optimizers.SGD(0.1))
    model.optimizer.build(model.trainable_variables)
    return model


def fill(bank, rng):
    """Random unit rows; of every image itself and some others as its neighbors."""
    drawn = rng.standard_normal((CHUNK, bank.feature_dim), np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    for start in range(0, bank.num_images, CHUNK):
        count = min(CHUNK, bank.num_images - start)
        signs = rng.integers(0, 2, bank.feature_dim) * 2 - 1  # Others, and as long.
        bank.rows_kept.assign(0, start, drawn[:count] * signs)
        assign_records(bank, start, count, rng)


def assign_records(bank, start, count, rng):
    """An image finds itself, and neighbors out of the twenty behind it."""
    own = np.arange(start, start + count)[:, None]
    others = (own + 1 + rng.permuted(np.tile(np.arange(20), (count, 1)), axis=1)) % bank.num_images
    ids = np.concatenate([own, others[:, : bank.topk - 1]], axis=1)
    similarities = -np.sort(-rng.random((count, bank.topk), np.float32), axis=1)
    bank.rows_kept.assign(1, start, ids)
    bank.rows_kept.assign(2, start, similarities)


def seconds_of_look_up(model, rng):
    """Seconds of the look-up and write of a batch, the median of a few."""
    strategy, bank = model.distribute_strategy, model.bank
    step = tf.function(lambda *arguments: strategy.run(bank.step, arguments), autograph=False)
    share, taken = BATCH.value // REPLICAS.value, []
    for _ in range(STEPS.value + 1):
        indices = rng.permutation(model.bank.num_images)[: BATCH.value]
        features = rng.standard_normal((BATCH.value, DIM.value), np.float32)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        parts = [
            strategy.experimental_distribute_values_from_function(
                lambda context, rows=rows: tf.constant(
                    rows[context.replica_id_in_sync_group * share :][:share]
                )
            )
            for rows in (indices, features)
        ]
        start = time.perf_counter()
        found = step(*parts)
        tf.nest.map_structure(lambda each: each.numpy(), strategy.experimental_local_results(found))
        taken.append(time.perf_counter() - start)
    return float(np.median(taken[1:]))  # The first one traces.


def epoch_end(model, watchers, epoch, rng):
    """Some images find others; then what callbacks do before the next epoch."""
    changed = rng.integers(0, max(1, model.bank.num_images - CHUNK))
    assign_records(model.bank, changed, min(CHUNK, model.bank.num_images), rng)
    times = [time.perf_counter()]
    for watcher in watchers:
        watcher.params = {"epochs": epoch + 1}
        watcher.on_epoch_end(epoch, {})
        times.append(time.perf_counter())
    names = ("push", "statistics", "hand_over")
    return {**dict(zip(names, np.diff(times), strict=False)), "pause": times[-1] - times[0]}


def run(num_images, **changes):
    """Measures in a process of its own, with other flags."""
    given = [f"--{name}={value}" for name, value in changes.items()]
    names = ("dim", "window", "topk", "replicas", "row_dtype", "window_in_memory", "batch_size")
    same = [f"--{n}={flags.FLAGS[n].value}" for n in (*names, "steps") if n not in changes]
    same += [f"--folder={FOLDER.value}"] if FOLDER.value else []
    command = [sys.executable, "-m", "benchmarks.scale", f"--images={num_images}", "--one"]
    done = subprocess.run([*command, *same, *given], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def plots(by_size):
    """HTML with the costs over N, k, W and R."""
    small = 100_000
    over = {
        "N, in thousands": [(row["images"] / 1000, row) for row in by_size],
        "k": [(k, run(small, topk=k)) for k in (5, 10, 20)],
        "W": [(w, run(small, window=w)) for w in (5, 10, 20, 50)],
        "R": [(r, run(small, replicas=r)) for r in (1, 2, 4)],
    }
    figures = []
    for axis, rows in over.items():
        at = [place for place, _ in rows]
        for name, per in (("look_up", "ms"), ("vote", "µs")):
            values = {COLUMNS[name][0]: [row[name] for _, row in rows]}
            figures.append(
                line_chart(f"{COLUMNS[name][0]} over {axis}", axis, at, values, unit=f" {per}")
            )
        values = {name: [1e6 * row[name] / row["images"] for _, row in rows] for name in ("pause",)}
        figures.append(line_chart(f"pause, µs / image, over {axis}", axis, at, values, unit=" µs"))
    return document("What a bank and a window cost", [tag("div", figures, class_="charts")])


def main(_):
    """Prints a table."""
    if flags.FLAGS.one:
        print(json.dumps(on_replicas(int(IMAGES.value[0]))))
        return
    print("|", " | ".join(title for title, _ in COLUMNS.values()), "|")
    print("|---" * len(COLUMNS) + "|", flush=True)
    rows = []
    for number in IMAGES.value:
        rows.append(run(int(number)))
        cells = (form.format(rows[-1][name]) for name, (_, form) in COLUMNS.items())
        print("|", " | ".join(cells), "|", flush=True)
    if PLOT.value:
        pathlib.Path(PLOT.value).write_text(plots(rows))


def on_replicas(num_images):
    """Measures under a strategy, if there are several replicas."""
    if REPLICAS.value == 1:
        return measure(num_images)
    cpu, *_ = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration()] * REPLICAS.value
    tf.config.set_logical_device_configuration(cpu, logical)
    names = [device.name for device in tf.config.list_logical_devices("CPU")]
    with tf.distribute.MirroredStrategy(names).scope():
        return measure(num_images)


if __name__ == "__main__":
    flags.DEFINE_bool("one", False, "Measure the first size in this process.")
    app.run(main)
