"""This package beside another checkout of it: start, step and input, by turns in one run.

    git worktree add --detach ../before COMMIT
    python benchmarks/against_checkout.py --other=../before

Each turn is a process of its own, which imports the package of one checkout and measures what both
can do, or only the input. Printed are the medians of the turns, what this one gains, and the
spread: the largest over the smallest of the same checkout.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import skimage.data
from absl import app, flags
from PIL import Image

OTHER = flags.DEFINE_string("other", None, "Folder of the other checkout.")
ROUNDS = flags.DEFINE_integer("rounds", 3, "Turns of each.", lower_bound=1)
STEP = flags.DEFINE_bool("step", True, "Measure the training step too.")
MEASURE = flags.DEFINE_string("measure", None, "Photographs; the script calls itself so.")

HERE = pathlib.Path(__file__).resolve().parents[1]
BATCH_SIZE, STEPS, BANK = 64, 20, 50_000
# The shrinking of a crop to 224 pixels, at most: that of the file, as crops are parts of it.
PHOTOGRAPHS = {"shrunk by less than 2": (300, 300), "shrunk by up to 4": (900, 900)}


def make_files(folder, count=192):
    """Photographs of two sizes, a folder of each."""
    photographs = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    rng = np.random.default_rng(0)
    for size in PHOTOGRAPHS.values():
        place = pathlib.Path(folder, str(size[0]))
        place.mkdir()
        for i in range(count):
            shifted = np.roll(photographs[i % 3], rng.integers(100, size=2), (0, 1))
            Image.fromarray(shifted).resize(size).save(place / f"{i:03d}.jpg", quality=90)


def measured(folder):
    """What the package that is imported does: `{measurement: value}`."""
    start = time.perf_counter()
    import keras  # noqa: F401  (Older packages were loaded by it, and not before.)

    import keras_adasim as ka

    values = {"import, s": time.perf_counter() - start}
    for title, jit_compile in {"inline": False, "XLA": True}.items() if STEP.value else ():
        first, rate = step(ka, jit_compile)
        values |= {f"model and first step, {title}, s": first, f"step, {title}, images/s": rate}
    for title, size in PHOTOGRAPHS.items():
        source = ka.data.ImageFolder(os.path.join(folder, str(size[0])))
        crops = ka.augment.MultiCrop(224)
        pairs = ka.data.PairDataset(source, ka.pairing.SelfPairing(), 32, crops)
        values[f"crop of a file, {title}, ms of processor"] = input_time(pairs)
    images = np.random.default_rng(0).integers(0, 256, (20_000, 32, 32, 3), np.uint8)
    pairs = ka.data.PairDataset(ka.data.ArraySource(images), ka.pairing.SelfPairing(), BATCH_SIZE)
    values["image of an array, ms of processor"] = input_time(pairs)
    return values


def step(ka, jit_compile):
    """Seconds of the model and its first step, and images per second of those that follow."""
    import tensorflow as tf

    start = time.perf_counter()
    model = ka.SelfDistillation(
        ka.backbones.VisionTransformer(32, 4, embed_dim=96, depth=4, num_heads=3),
        ka.objectives.DINO(1024, hidden_dim=256, bottleneck_dim=64),
        ka.pairing.AdaptiveWindow(BANK, window=2),
        ka.layers.NeighborBank(BANK, 96),
        augment=ka.augment.DINOAugment(ka.augment.MultiCrop(32)),
    )
    model.compile(ka.optimizers.AdamW(5e-4, 0.04, clipnorm=3.0), jit_compile=jit_compile)
    model.make_train_function()
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, 32, 32, 3), np.uint8)
    batch = {"indices": np.arange(BATCH_SIZE), "images": pixels, "partners": pixels[::-1].copy()}
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    float(model.train_function(batches)["loss"])
    first = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(STEPS):
        loss = model.train_function(batches)["loss"]
    float(loss)
    return first, STEPS * BATCH_SIZE / (time.perf_counter() - start)


def input_time(pairs, epochs=4):
    """Milliseconds of processor for an image, of both of a pair; the first epoch is left out."""
    dataset = pairs.as_tf_dataset()
    for _ in dataset:
        pass
    start, images = time.process_time(), 0
    for _ in range(epochs):
        for batch in dataset:
            images += 2 * len(batch["indices"])
    return 1e3 * (time.process_time() - start) / images


def turn(checkout, folder):
    """What a process measures of the package in a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, f"--measure={folder}", f"--step={STEP.value}"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(turns):
    """Lines of Markdown: the medians of `{checkout: [values of a turn]}`, and what is gained."""
    lines = ["| | before | now | gain | spread |", "|---|---|---|---|---|"]
    for name in turns["now"][0]:
        before, now = (np.array([each[name] for each in turns[key]]) for key in ("before", "now"))
        old, new = np.median(before), np.median(now)
        gain = new / old if name.endswith("/s") else old / new
        spread = max(each.max() / each.min() for each in (before, now))
        lines.append(f"| {name} | {old:,.4g} | {new:,.4g} | {gain:.2f} | {spread:.2f} |")
    return lines


def main(_):
    """Measures, or prints the table."""
    if MEASURE.value:
        print(json.dumps(measured(MEASURE.value)))
        return
    other = pathlib.Path(OTHER.value or "")
    if not OTHER.value or not (other / "keras_adasim").is_dir():
        raise app.UsageError(f"Expected --other, a checkout of this package. Received: {other}")
    turns = {"before": [], "now": []}
    with tempfile.TemporaryDirectory() as folder:
        make_files(folder)
        for _ in range(ROUNDS.value):
            for name, checkout in (("before", other.resolve()), ("now", HERE)):
                turns[name].append(turn(checkout, folder))
                print(f"{name}: {turns[name][-1]}", file=sys.stderr, flush=True)
    print("\n".join(table(turns)))


if __name__ == "__main__":
    app.run(main)
